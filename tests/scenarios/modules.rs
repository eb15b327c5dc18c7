//! The tables of modules in CONTRIBUTING.md are true, so there are no import cycles.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Names = BTreeSet<String>;

#[test]
fn each_module_uses_the_modules_that_contributing_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let [everywhere, rows] = tables(&text);
    let everywhere: Names = everywhere.into_iter().map(|(module, _)| module).collect();
    let mut uses = BTreeMap::new();
    collect(&root.join("src"), None, &mut uses);
    let mut above = everywhere.clone();
    for module in &everywhere {
        let used = uses.remove(module).unwrap_or_else(|| panic!("there is no module {module}"));
        assert!(used.is_subset(&everywhere), "{module} uses {:?}", used.difference(&everywhere));
    }
    for (module, listed) in rows {
        let used = uses.remove(&module).unwrap_or_else(|| panic!("there is no module {module}"));
        assert_eq!(used.difference(&everywhere).cloned().collect::<Names>(), listed, "{module}");
        assert!(used.is_subset(&above), "{module} uses modules below it: {:?}", used.difference(&above));
        above.insert(module);
    }
    assert!(uses.is_empty(), "CONTRIBUTING.md does not list {:?}", uses.keys());
}

/// Returns the rows of both tables: a module, and the modules in its last column.
fn tables(text: &str) -> [Vec<(String, Names)>; 2] {
    let rows = |table: &str| {
        let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| `")).map(|line| {
            let module = line.split('`').next().unwrap().trim_end_matches(['/']).trim_end_matches(".rs");
            let uses = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
            (module.to_owned(), uses.split(", ").filter(|name| *name != "–").map(str::to_owned).collect())
        });
        rows.collect::<Vec<_>>()
    };
    let mut tables = text.split("\n| module in `src/` |").skip(1).map(rows);
    [tables.next().expect("the modules that all may use"), tables.next().expect("the other modules")]
}

/// Collects which modules each module in this folder uses, apart from itself.
fn collect(folder: &Path, module: Option<&str>, uses: &mut BTreeMap<String, Names>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let module = module.unwrap_or_else(|| path.file_stem().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, Some(module), uses);
        } else if !path.ends_with("src/lib.rs") {
            let used = used(&fs::read_to_string(&path).unwrap()).filter(|name| name != module).collect::<Names>();
            uses.entry(module.to_owned()).or_default().extend(used);
        }
    }
}

/// Returns the names that follow `crate::`, or the library's name, in code. Types begin with a capital letter.
fn used(text: &str) -> impl Iterator<Item = String> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap()).collect();
    let paths = ["crate::", "m365auth::"].map(|root| code.split(root).skip(1).map(names).collect::<Vec<_>>());
    paths.into_iter().flatten().flatten().filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// Returns the name at the start of a path, or the names in braces, as in `{paths::Paths, timeout}`.
fn names(path: &str) -> Vec<String> {
    let first = |path: &str| path.trim().split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap().to_owned();
    match path.strip_prefix('{') {
        Some(list) => list.split('}').next().unwrap().split(',').map(first).collect(),
        None => vec![first(path)],
    }
}
