"""A relay to the stand-in that delays both directions and counts connections and round trips."""

import asyncio
import threading


class Relay:
    """Listens on a free port of localhost. Runs in its own thread until the program ends."""

    def __init__(self, port, round_trip, tls=None):
        """With `tls`, the relay accepts plain HTTP and connects to the stand-in over TLS."""
        self._target, self._round_trip, self._tls = port, round_trip, tls
        self.connections = self.round_trips = 0
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    async def _listen(self):
        ipv4 = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        port = ipv4.sockets[0].getsockname()[1]
        try:
            await asyncio.start_server(self._connection, "::1", port)
        except OSError:
            pass  # a machine without IPv6
        return port

    def reset(self):
        self.connections = self.round_trips = 0

    async def _connection(self, client, client_writer):
        # The TCP handshake, which the kernel has just completed without delay.
        self.connections += 1
        self.round_trips += 1
        await asyncio.sleep(self._round_trip)
        server, server_writer = await asyncio.open_connection("localhost", self._target, ssl=self._tls)
        client_sent = threading.Event()

        def deliver(chunk):
            if client_sent.is_set():  # the first data after the client's completes a round trip
                client_sent.clear()
                self.round_trips += 1
            client_writer.write(chunk)

        async def pass_on(source, writer, deliver, sent=lambda: None):
            while chunk := await source.read(65536):
                sent()
                self._loop.call_later(self._round_trip / 2, deliver, chunk)
            await asyncio.sleep(self._round_trip / 2)
            writer.close()

        await asyncio.gather(
            pass_on(client, server_writer, server_writer.write, client_sent.set),
            pass_on(server, client_writer, deliver),
            return_exceptions=True,  # ignore connections that are reset
        )
