"""A relay before the stand-in: it delays each direction, and counts connections and round trips."""

import asyncio
import threading


class Relay:
    """Listens on a free port of localhost. It runs in a thread of its own, and ends with the program."""

    def __init__(self, port, round_trip, tls=None):
        """With `tls` it speaks TLS for clients that do not."""
        self._target, self._round_trip, self._tls = port, round_trip, tls
        self.connections = self.round_trips = 0
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    async def _listen(self):
        four = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        port = four.sockets[0].getsockname()[1]
        try:
            await asyncio.start_server(self._connection, "::1", port)
        except OSError:
            pass  # a machine without IPv6
        return port

    def reset(self):
        self.connections = self.round_trips = 0

    async def _connection(self, client, client_writer):
        # The handshake of TCP, which the kernel has just made without delay.
        self.connections += 1
        self.round_trips += 1
        await asyncio.sleep(self._round_trip)
        server, server_writer = await asyncio.open_connection("localhost", self._target, ssl=self._tls)
        asks = threading.Event()

        def deliver(chunk):
            if asks.is_set():  # an answer to what the client sent: once round
                asks.clear()
                self.round_trips += 1
            client_writer.write(chunk)

        async def pass_on(source, writer, deliver, sent=lambda: None):
            while chunk := await source.read(65536):
                sent()
                self._loop.call_later(self._round_trip / 2, deliver, chunk)
            await asyncio.sleep(self._round_trip / 2)
            writer.close()

        await asyncio.gather(
            pass_on(client, server_writer, server_writer.write, asks.set),
            pass_on(server, client_writer, deliver),
            return_exceptions=True,  # whoever goes away without a word
        )
