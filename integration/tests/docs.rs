//! Holds the documents to the programs: a command or an option that they name exists, a file that
//! they link to is there, and an error that they explain is one that a program can give.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use integration::harness::{mesh_node_program, meshctl_program, workspace_root};

const PAGES: [&str; 14] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "actors/README.md",
    "compose/README.md",
    "examples/callers/README.md",
    "providers/README.md",
    "docs/contracts.md",
    "docs/durable.md",
    "docs/faults.md",
    "docs/operations.md",
    "docs/performance.md",
    "docs/protocol.md",
];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn pages() -> Vec<(PathBuf, String)> {
    let mut pages: Vec<_> = PAGES.iter().map(|page| workspace_root().join(page)).collect();
    let decisions = std::fs::read_dir(workspace_root().join("docs/adr")).unwrap();
    pages.extend(decisions.map(|entry| entry.unwrap().path()));
    pages.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// Returns what a page shows as code: lines of fenced blocks, and spans between backticks.
fn code(page: &str) -> Vec<String> {
    let mut code = Vec::new();
    let mut fenced = false;
    for line in page.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            code.push(line.split("  #").next().unwrap().to_owned());
        } else {
            code.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    code
}

/// A program, and its help for each of its commands.
struct Program {
    path: PathBuf,
    help: BTreeMap<Vec<String>, String>,
}

impl Program {
    fn new(path: PathBuf) -> Self {
        Self { path, help: BTreeMap::new() }
    }

    fn help(&mut self, command: &[String]) -> &str {
        let path = &self.path;
        self.help.entry(command.to_vec()).or_insert_with(|| {
            let output = Command::new(path).args(command).arg("--help").output().unwrap();
            assert!(output.status.success(), "{} {command:?} --help fails", path.display());
            String::from_utf8(output.stdout).unwrap()
        })
    }

    /// Says whether the help of `command` lists `word` as a command or an option of it.
    fn lists(&mut self, command: &[String], word: &str) -> bool {
        let is_listed = |line: &str| {
            line.split([' ', ',']).filter(|part| !part.is_empty()).take(2).any(|part| part == word)
        };
        self.help(command).lines().filter(|line| line.starts_with(' ')).any(is_listed)
    }

    /// Checks one command line; returns what is wrong with it.
    fn check(&mut self, words: &[&str]) -> Option<String> {
        let mut command = Vec::new();
        let mut value_of_option = false;
        for word in words {
            if let Some(option) = word.strip_prefix("--") {
                let option = format!("--{}", option.split('=').next().unwrap());
                if !self.lists(&command, &option) {
                    return Some(format!("no option {option} of {command:?}"));
                }
                value_of_option = command.is_empty();
            } else if std::mem::take(&mut value_of_option) || word.starts_with('-') {
                value_of_option = word.starts_with("-o");
            } else if command.len() < 2 && self.help(&command).contains("\nCommands:") {
                if word.chars().all(|c| c.is_ascii_lowercase()) {
                    if !self.lists(&command, word) {
                        return Some(format!("no command {word} of {command:?}"));
                    }
                    command.push((*word).to_owned());
                } else {
                    return None;
                }
            }
        }
        None
    }
}

#[test]
fn every_command_and_option_exists() {
    let mut programs = [
        ("meshctl", Program::new(meshctl_program().unwrap())),
        ("mesh-node", Program::new(mesh_node_program().unwrap())),
    ];
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (path, page) in pages() {
        for line in code(&page) {
            let line = line.trim().trim_start_matches("$ ");
            let Some((name, rest)) = line.split_once(' ') else { continue };
            let Some((_, program)) = programs.iter_mut().find(|(known, _)| *known == name) else {
                continue;
            };
            // What follows the first quote is data.
            let words = rest.split('\'').next().unwrap();
            let words: Vec<_> = words.split_whitespace().take_while(|word| *word != "&&").collect();
            seen += 1;
            if let Some(what) = program.check(&words) {
                wrong.push(format!("{}: `{line}`: {what}", path.display()));
            }
        }
    }
    assert!(seen > 30, "only {seen} command lines were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_linked_file_is_there() {
    let (mut missing, mut seen) = (Vec::new(), 0);
    for (path, page) in pages() {
        for link in page.split("](").skip(1) {
            let link = link.split(')').next().unwrap().split('#').next().unwrap();
            if link.is_empty() || link.contains("://") {
                continue;
            }
            seen += 1;
            if !path.parent().unwrap().join(link).exists() {
                missing.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(seen > 20, "only {seen} links were found");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn every_source_file_that_the_architecture_names_is_there() {
    let page = read(&workspace_root().join("ARCHITECTURE.md"));
    let mut sources = Vec::new();
    collect_sources(&workspace_root(), &mut sources);
    let named: Vec<_> = code(&page).into_iter().filter(|name| name.ends_with(".rs")).collect();
    assert!(named.len() > 30, "{named:?}");
    let known = |name: &String| sources.iter().any(|source| source.ends_with(name));
    let missing: Vec<_> = named.iter().filter(|name| !known(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Lists the Rust files of the workspace.
fn collect_sources(folder: &Path, sources: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push(path);
        }
    }
}

#[test]
fn every_text_that_troubleshooting_explains_is_in_a_program() {
    let page = read(&workspace_root().join("docs/operations.md"));
    let section = page.split("## Troubleshooting").nth(1).unwrap();
    let mut files = Vec::new();
    collect_sources(&workspace_root(), &mut files);
    files.retain(|path| path.components().any(|part| part.as_os_str() == "src"));
    let sources: String = files.iter().map(|path| read(path)).collect();
    // The server's own words.
    let foreign = ["Permissions Violation"];
    for row in section.lines().filter(|line| line.starts_with("| `")) {
        let texts = row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2);
        for text in texts.filter(|text| !foreign.contains(text)) {
            assert!(sources.contains(text), "no program says {text:?}");
        }
    }
}
