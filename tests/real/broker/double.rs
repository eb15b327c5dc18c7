//! What the double refuses, so that the other tests mean something.

use serde_json::{Value, json};
use standin::PUBLIC_CLIENT_ID;

use super::{BrokerVersion, Device, EVERY_VERSION, Himmelblau, INTERACTIVE, SILENT, V2_0_1, V3_0_1};

const NAME: &str = "com.microsoft.identity.broker1";
const PATH: &str = "/com/microsoft/identity/broker1";
const INTERFACE: &str = "com.microsoft.identity.Broker1";
const REDIRECT_URI: &str = "https://login.microsoftonline.com/common/oauth2/nativeclient";

/// A client that can send anything.
struct Client(zbus::blocking::Connection);

impl Client {
    fn of(device: &Device) -> Self {
        Self(zbus::blocking::connection::Builder::address(device.login.address()).unwrap().build().unwrap())
    }

    fn send(&self, path: &str, interface: &str, method: &str, request: &Value) -> Result<String, String> {
        let arguments = ("0.0", "0b7e3b8e-6a52-4d4f-9a80-3d6a3f0e8d11", request.to_string());
        match self.0.call_method(Some(NAME), path, Some(interface), method, &arguments) {
            Ok(reply) => Ok(reply.body().deserialize().unwrap()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn call(&self, method: &str, request: &Value) -> String {
        self.send(PATH, INTERFACE, method, request).unwrap_or_else(|error| error)
    }

    /// Returns the parameters of a request that is accepted.
    fn parameters(&self) -> Value {
        let accounts = self.call("getAccounts", &json!({ "clientId": PUBLIC_CLIENT_ID, "redirectUri": REDIRECT_URI }));
        let accounts: Value = serde_json::from_str(&accounts).unwrap();
        let account = &accounts["accounts"][0];
        json!({
            "account": account,
            "username": account["username"],
            "authority": "https://login.microsoftonline.com/common",
            "authorizationType": 1,
            "clientId": PUBLIC_CLIENT_ID,
            "redirectUri": REDIRECT_URI,
            "requestedScopes": ["https://outlook.office.com/SMTP.Send"],
        })
    }
}

/// Returns the answers to a request that is accepted and to one with this change.
fn with_change(version: BrokerVersion, method: &str, name: &str, value: Value) -> (String, String) {
    let device = Device::new(version);
    let client = Client::of(&device);
    let mut parameters = client.parameters();
    if method == INTERACTIVE {
        parameters["authorizationType"] = 6.into();
    }
    let accepted = client.call(method, &json!({ "authParameters": parameters }));
    assert!(accepted.contains("accessToken"), "{accepted}");
    parameters[name] = value;
    (accepted, client.call(method, &json!({ "authParameters": parameters })))
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_wrong_authorization_type_is_refused_except_by_2_0_1() {
    for version in EVERY_VERSION {
        let (_, answer) = with_change(version, SILENT, "authorizationType", 6.into());
        assert_eq!(answer.contains("accessToken"), version == V2_0_1, "{version:?}: {answer}");
        let (_, answer) = with_change(version, INTERACTIVE, "authorizationType", 1.into());
        assert_eq!(answer.contains("accessToken"), version == V2_0_1, "{version:?}: {answer}");
    }
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn an_altered_account_another_redirect_uri_and_short_scopes_are_refused() {
    for version in EVERY_VERSION {
        for (name, value) in [
            ("account", json!({ "username": "ada@example.com" })),
            ("redirectUri", json!("https://localhost/")),
            ("requestedScopes", json!(["SMTP.Send"])),
            ("clientId", json!("00001111-aaaa-2222-bbbb-3333cccc4444")),
        ] {
            let (_, answer) = with_change(version, SILENT, name, value);
            assert!(!answer.contains("accessToken"), "{version:?}: {name}: {answer}");
            assert_eq!(answer.contains("DBus.Error.Failed"), version == Himmelblau, "{answer}");
        }
    }
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn scopes_of_openid_connect_are_declined_by_3_0_1() {
    for version in EVERY_VERSION {
        let scopes = json!(["https://outlook.office.com/SMTP.Send", "offline_access"]);
        let (_, answer) = with_change(version, SILENT, "requestedScopes", scopes);
        assert_eq!(answer.contains("declined scopes are present"), version == V3_0_1, "{version:?}: {answer}");
    }
}

#[test]
#[ignore = "tests/run: D-Bus"]
fn a_wrong_path_and_introspection_are_refused() {
    for version in EVERY_VERSION {
        let device = Device::new(version);
        let client = Client::of(&device);
        let request = json!({ "clientId": PUBLIC_CLIENT_ID, "redirectUri": REDIRECT_URI });
        let error = client.send("/com/microsoft/identity/Broker1", INTERFACE, "getAccounts", &request);
        assert!(error.unwrap_err().contains("UnknownObject"), "{version:?}");
        let error = client.send(PATH, "com.microsoft.identity.broker1", "getAccounts", &request);
        assert!(error.unwrap_err().contains("UnknownInterface"), "{version:?}");
        let introspection = Some("org.freedesktop.DBus.Introspectable");
        let reply = client.0.call_method(Some(NAME), PATH, introspection, "Introspect", &());
        assert_eq!(reply.is_ok(), version == V2_0_1, "{version:?}");
    }
}
