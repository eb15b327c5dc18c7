//! Graph sends to the addresses in the headers, so those must be the recipients.

use super::{MESSAGE, RECIPIENTS, Setup};

fn message(headers: &str) -> String {
    format!("From: ada@example.com\n{headers}\nSubject: Compilers\n\nTo: in the body\n")
}

#[test]
#[ignore = "tests/run: curl"]
fn recipients_that_no_header_names_are_added_as_bcc() {
    let setup = Setup::new();
    let without = MESSAGE.replace("Bcc: secret@example.com\n", "");
    // As mutt calls it, which removes Bcc unless `write_bcc` is set.
    assert_eq!(
        setup.sent(&["--", RECIPIENTS[0], RECIPIENTS[1], RECIPIENTS[2]], &without),
        "Bcc: secret@example.com\n".to_owned() + &without
    );
    assert_eq!(
        setup.sent(&["-t", "a@example.com", "<b@example.com>"], &without),
        "Bcc: a@example.com,\n b@example.com\n".to_owned() + &without
    );
    let windows = without.replace('\n', "\r\n");
    assert_eq!(setup.sent(&["-t", "a@example.com"], &windows), "Bcc: a@example.com\r\n".to_owned() + &windows);
    // A second field would be an error (RFC 5322, 3.6).
    let two = message("To: grace@example.com\nBCC: Ada <a@example.com>,\n\tb@example.com\nX-Other: x");
    let expected = "Bcc: a@example.com,\n b@example.com,\n c@example.com\n".to_owned()
        + &message("To: grace@example.com\nX-Other: x");
    assert_eq!(setup.sent(&["-t", "c@example.com", "C@EXAMPLE.COM", "grace@example.com"], &two), expected);
    let first = "Bcc: a@example.com\nFrom: ada@example.com\n\n\n";
    assert_eq!(
        setup.sent(&["a@example.com", "b@example.com"], first),
        first.replace("a@example.com\nFrom", "a@example.com,\n b@example.com\nFrom")
    );
}

#[test]
#[ignore = "tests/run: curl"]
fn a_header_recipient_that_is_not_among_the_arguments_means_that_nothing_is_sent() {
    let setup = Setup::new();
    for (arguments, headers, who) in [
        // A copy to one person alone.
        (&["charles@example.com"][..], "To: grace@example.com", "grace@example.com"),
        (&["grace@example.com"], "To: grace@example.com\nCc: charles@example.com", "charles@example.com"),
        (&["grace@example.com"], "To: grace@example.com\nbcc : secret@example.com", "secret@example.com"),
        (
            &["grace@example.com"],
            "To: grace@example.com,\n\t\"Babbage, \\\"C\\\"\"\n <charles@example.com>",
            "charles@example.com",
        ),
        (&["grace@example.com"], "To: friends: grace@example.com, charles@example.com;", "charles@example.com"),
        (
            &["grace@example.com"],
            "To: grace@example.com (to (all), charles), charles@example.com",
            "charles@example.com",
        ),
        (
            &["grace@example.com"],
            "To: =?utf-8?q?J=C3=BCrgen?= <grace@example.com>, =?utf-8?q?x?= <charles@example.com>",
            "charles@example.com",
        ),
        (
            &["-f", "ada@example.com", "--", "grace@example.com"],
            "To: grace@example.com.example.org",
            "grace@example.com.example.org",
        ),
    ] {
        let run = setup.send(arguments, &message(headers));
        assert!(
            run.fails_with(65).contains(&format!("nothing was sent: the headers name {who}, who is not")),
            "{headers}: {run:?}"
        );
    }
    // As mutt bounces a message.
    let bounced = message("To: ada@example.com\nResent-From: ada@example.com\nResent-To: grace@example.com");
    for arguments in [&["grace@example.com"][..], &["ada@example.com", "grace@example.com"], &["-t"]] {
        let run = setup.send(arguments, &bounced);
        assert!(run.fails_with(65).contains("the message is bounced to other recipients"), "{run:?}");
    }
    assert_eq!((setup.sends(), setup.home.standin.token_requests()), (0, 0));
}

#[test]
#[ignore = "tests/run: curl"]
fn every_form_of_an_address_list_is_understood() {
    let setup = Setup::new();
    for headers in [
        "To: grace@example.com,charles@example.com",
        "TO: Grace <GRACE@example.com> , ,\n\tCharles\n <charles@Example.com>",
        "To: \"Hopper, Grace (USN); <x@y>: \\\" \\\\\" <grace@example.com>\nCc: charles@example.com (a, b@c.d <e> \\) \"x)",
        "To: (first) grace@example.com\nBcc: Gr\u{e4}ce <charles@example.com>",
        "To: =?utf-8?b?R3LDpGNl?= =?utf-8?q?=2C?= <grace@example.com>, charles@example.com",
        "To: all: Grace <grace@example.com>, charles@example.com;",
        "To: undisclosed-recipients:;\nBcc: grace@example.com, charles@example.com",
        "X-To: nobody@example.com\nTo:grace@example.com\nCc:\nBcc:\n charles@example.com",
    ] {
        let message = message(headers);
        assert_eq!(setup.sent(&["grace@example.com", "charles@example.com"], &message), message);
    }
}

#[test]
#[ignore = "tests/run: curl"]
fn what_graph_could_read_in_another_way_is_not_sent() {
    let setup = Setup::new();
    for headers in [
        "To: grace@example.com\nTo: grace@example.com",
        "To: grace",
        "To: grace@example.com charles@example.com",
        "To: <grace@example.com> charles@example.com",
        "To: <grace@example.com> <charles@example.com>",
        "To: \"grace@example.com",
        "To: grace@example.com (",
        "To: <grace@example.com",
        "To: friends: grace@example.com",
        "To: grace@example.com; charles@example.com",
        "To: a: b: grace@example.com;;",
        "To: <@example.org:grace@example.com>",
        "To: \"grace\"@example.com",
        "To: grace@[192.0.2.1]",
        "To: <>",
        "To: gr\u{e4}ce@example.com",
        "To: grace@example.com\rBcc: charles@example.com",
        "To: grace@example.com\n \n charles@example.com",
        "To: grace@example.com\0\nBcc: charles@example.com",
        "To: grace@example.com\nnot a field",
        "X-To: grace@example.com",
        "From: ada@example.com\nTo: grace@example.com",
    ] {
        let run = setup.send(&["-t"], &message(headers));
        run.fails_with(65);
        assert!(run.stderr.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{headers:?}: {run:?}");
    }
    for message in
        ["", "\nTo: grace@example.com\n", " To: grace@example.com\n\n", "From ada\nTo: grace@example.com\n\n"]
    {
        setup.send(&["-t"], message).fails_with(65);
    }
    let with_nul = message("To: grace@example.com\nX-Other: \0");
    assert!(setup.send(&["-t"], &with_nul).fails_with(65).contains("the message contains a NUL character"));
    assert_eq!((setup.sends(), setup.home.standin.token_requests()), (0, 0));
}

#[test]
#[ignore = "tests/run: curl"]
fn a_message_without_from_gets_the_address_of_the_option() {
    let setup = Setup::new();
    let message = "To: grace@example.com\nSubject: x\n\nA mail.\n";
    assert!(setup.send(&["-t"], message).fails_with(65).contains("the message has no From"));
    assert_eq!(setup.sent(&["-fada@example.com", "-t"], message), "From: ada@example.com\n".to_owned() + message);
    let both = setup.sent(&["-f", "ada@example.com", "bob@example.com", "grace@example.com"], message);
    assert_eq!(both, "From: ada@example.com\nBcc: bob@example.com\n".to_owned() + message);
}
