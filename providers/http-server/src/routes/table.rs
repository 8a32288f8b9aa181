//! Which target fits a request best: a tree of path parts for each host.
//!
//! A change copies the nodes on its way and shares the others, so that readers keep what they have.

use std::collections::HashMap;
use std::sync::Arc;

use super::host::HostPattern;

/// Targets by host and path.
#[derive(Debug)]
pub struct Table<T> {
    exact: HashMap<Box<str>, Node<T>>,
    below: HashMap<Box<str>, Node<T>>,
    any: Node<T>,
}

#[derive(Debug)]
struct Node<T> {
    target: Option<Arc<T>>,
    parts: HashMap<Box<str>, Arc<Node<T>>>,
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        let Self { exact, below, any } = self;
        Self { exact: exact.clone(), below: below.clone(), any: any.clone() }
    }
}

impl<T> Clone for Node<T> {
    fn clone(&self) -> Self {
        Self { target: self.target.clone(), parts: self.parts.clone() }
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { exact: HashMap::new(), below: HashMap::new(), any: Node::default() }
    }
}

impl<T> Default for Node<T> {
    fn default() -> Self {
        Self { target: None, parts: HashMap::new() }
    }
}

impl<T> Table<T> {
    /// Returns the target that fits best: the host decides before the path, and of each the one
    /// that says more. `host` is in lower case.
    pub fn find(&self, host: Option<&str>, path: &str) -> Option<&Arc<T>> {
        if let Some(host) = host {
            if let Some(found) = self.exact.get(host).and_then(|node| node.find(path)) {
                return Some(found);
            }
            let mut rest = host;
            while !self.below.is_empty()
                && let Some((_, after)) = rest.split_once('.')
            {
                rest = after;
                if let Some(found) = self.below.get(rest).and_then(|node| node.find(path)) {
                    return Some(found);
                }
            }
        }
        self.any.find(path)
    }

    /// Returns the target of exactly that host and path.
    pub fn get(&self, host: &HostPattern, path: &str) -> Option<&Arc<T>> {
        match host {
            HostPattern::Any => self.any.get(path),
            HostPattern::Exact(name) => self.exact.get(name)?.get(path),
            HostPattern::Below(name) => self.below.get(name)?.get(path),
        }
    }

    /// Sets the target of a host and path, or takes it out.
    pub fn set(&mut self, host: &HostPattern, path: &str, target: Option<Arc<T>>) {
        let (hosts, name) = match host {
            HostPattern::Any => return self.any.set(&mut parts(path), target),
            HostPattern::Exact(name) => (&mut self.exact, name),
            HostPattern::Below(name) => (&mut self.below, name),
        };
        let node = hosts.entry(name.clone()).or_default();
        node.set(&mut parts(path), target);
        if node.is_empty() {
            hosts.remove(name);
        }
    }
}

impl<T> Node<T> {
    fn find(&self, path: &str) -> Option<&Arc<T>> {
        let mut node = self;
        let mut found = node.target.as_ref();
        for part in parts(path) {
            let Some(next) = node.parts.get(part) else { break };
            node = next;
            found = node.target.as_ref().or(found);
        }
        found
    }

    fn get(&self, path: &str) -> Option<&Arc<T>> {
        let mut node = self;
        for part in parts(path) {
            node = node.parts.get(part)?;
        }
        node.target.as_ref()
    }

    fn set(&mut self, parts: &mut dyn Iterator<Item = &str>, target: Option<Arc<T>>) {
        let Some(part) = parts.next() else {
            self.target = target;
            return;
        };
        let mut child = self.parts.get(part).map(|node| Node::clone(node)).unwrap_or_default();
        child.set(parts, target);
        if child.is_empty() {
            self.parts.remove(part);
        } else {
            self.parts.insert(part.into(), Arc::new(child));
        }
    }

    fn is_empty(&self) -> bool {
        self.target.is_none() && self.parts.is_empty()
    }
}

/// Returns the parts of a path, as it is: `/` has none, and neither has `*`.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.strip_prefix('/')
        .filter(|rest| !rest.is_empty())
        .into_iter()
        .flat_map(|rest| rest.split('/'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn host(text: &str) -> HostPattern {
        HostPattern::read("host", Some(text)).unwrap()
    }

    fn table(routes: &[(&str, &str)]) -> Table<usize> {
        let mut table = Table::default();
        for (at, (name, path)) in routes.iter().enumerate() {
            table.set(&host(name), path, Some(Arc::new(at)));
        }
        table
    }

    fn find(table: &Table<usize>, host: &str, path: &str) -> Option<usize> {
        table.find(Some(host).filter(|host| !host.is_empty()), path).map(|found| **found)
    }

    #[test]
    fn a_prefix_ends_where_a_part_ends() {
        let table = table(&[("*", "/a"), ("*", "/a/b/c")]);
        for (path, found) in [
            ("/a", Some(0)),
            ("/a/", Some(0)),
            ("/a/b", Some(0)),
            ("/a/b/c", Some(1)),
            ("/a/b/c/d", Some(1)),
            ("/a/b/cd", Some(0)),
            ("/a//b/c", Some(0)),
            ("/ab", None),
            ("/", None),
            ("*", None),
            ("/%61", None),
            ("/A", None),
            ("//a", None),
        ] {
            assert_eq!(find(&table, "x", path), found, "{path}");
        }
    }

    #[test]
    fn the_host_decides_before_the_path() {
        let table = table(&[
            ("*", "/"),
            ("*", "/a/b"),
            ("*.example", "/a"),
            ("*.shop.example", "/"),
            ("x.shop.example", "/a"),
        ]);
        for (host, path, found) in [
            ("", "/a/b", 1),
            ("other", "*", 0),
            ("example", "/a", 0),
            ("y.example", "/a/b", 2),
            ("y.example", "/c", 0),
            ("shop.example", "/a", 2),
            ("y.shop.example", "/a", 3),
            ("x.shop.example", "/a/b", 4),
            ("x.shop.example", "/c", 3),
            ("z.x.shop.example", "/a", 3),
        ] {
            assert_eq!(find(&table, host, path), Some(found), "{host} {path}");
        }
    }

    #[test]
    fn what_is_taken_out_leaves_nothing() {
        let mut table = table(&[("a", "/x/y"), ("*.a", "/"), ("*", "/x")]);
        let before = table.clone();
        for (name, path) in [("a", "/x/y"), ("*.a", "/"), ("*", "/x")] {
            assert!(table.get(&host(name), path).is_some());
            table.set(&host(name), path, None);
            assert!(table.get(&host(name), path).is_none());
        }
        assert!(table.exact.is_empty() && table.below.is_empty() && table.any.is_empty());
        assert_eq!(find(&before, "a", "/x/y"), Some(0), "a reader keeps what it has");
    }

    /// What the documentation says, and no cleverer.
    fn naive(routes: &[(String, String)], name: &str, path: &str) -> Option<usize> {
        let fits = |(pattern, prefix): &(String, String)| {
            let host = match pattern.strip_prefix('*') {
                Some("") => true,
                Some(suffix) => name.ends_with(suffix),
                None => pattern == name,
            };
            let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
            let rest = path.strip_prefix(prefix);
            host && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let rank = |(pattern, prefix): &(String, String)| {
            (pattern != "*", !pattern.starts_with('*'), pattern.len(), prefix.len())
        };
        let fitting = routes.iter().enumerate().filter(|(_, route)| fits(route));
        fitting.max_by_key(|(_, route)| rank(route)).map(|(at, _)| at)
    }

    proptest! {
        #[test]
        fn the_tree_finds_what_a_list_would(
            routes in proptest::collection::btree_set(
                ("(\\*|(\\*\\.)?[ab](\\.[ab]){0,2})", "(/|(/[xy]{1,2}){1,3})"), 0..12),
            removed in proptest::collection::vec(any::<proptest::sample::Index>(), 0..4),
            asked in proptest::collection::vec(
                ("[ab](\\.[ab]){0,3}", "(/[xy]{0,2}){1,4}"), 1..20),
        ) {
            let mut routes: Vec<(String, String)> = routes.into_iter().collect();
            let mut table = Table::default();
            for (name, path) in &routes {
                table.set(&host(name), path, Some(Arc::new((name.clone(), path.clone()))));
            }
            for index in removed {
                if !routes.is_empty() {
                    let (name, path) = routes.remove(index.index(routes.len()));
                    table.set(&host(&name), &path, None);
                }
            }
            for (name, path) in asked {
                let expected = naive(&routes, &name, &path).map(|at| routes[at].clone());
                let found = table.find(Some(&name), &path).map(|found| (**found).clone());
                prop_assert_eq!(found, expected, "{} {}", name, path);
            }
        }
    }
}
