//! What the documents say of the tests.

use std::path::Path;

/// `MODULE::NAME` in SECURITY.md is a test of `tests/scenarios` or `tests/real`.
#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let named: Vec<(&str, &str)> = document.split('`').filter_map(|word| word.split_once("::")).collect();
    assert!(named.len() > 15);
    for (module, name) in named {
        let found = ["scenarios", "real"].iter().any(|folder| {
            let file = root.join("tests").join(folder).join(format!("{module}.rs"));
            std::fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("fn {name}()")))
        });
        assert!(found, "{module}::{name}");
    }
}
