//! Why nobody answers for an actor: a decision over what the lattice shows.

use lattice_protocol::control::Inventory;
use lattice_protocol::names::LatticeName;
use lattice_protocol::record::{ActorRecord, Labels};

use crate::exit::{Exit, Failure};
use crate::limits;

/// What the lattice shows of a target that nobody answers for.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// What was called, as it was typed.
    pub target: &'a str,
    /// The lattice.
    pub lattice: &'a LatticeName,
    /// Every lattice of this NATS account, where that is known.
    pub lattices: &'a [LatticeName],
    /// The deployed actor, where it is one.
    pub record: Option<&'a ActorRecord>,
    /// What of it is revoked: its key, issuer or digest.
    pub revoked: Option<&'a str>,
    /// The nodes of the lattice.
    pub nodes: &'a [Inventory],
}

/// Explains why nobody answers.
pub fn nobody_answers(facts: &Facts<'_>) -> Failure {
    let Facts { target, lattice, record, revoked, nodes, .. } = facts;
    let Some(record) = record else {
        let hint = match others(facts) {
            Some(others) => format!("is it another lattice? --lattice takes one of: {others}"),
            None => "deploy it with `meshctl deploy FILE`, see what there is with `meshctl ls`"
                .to_owned(),
        };
        return not_found("not_deployed", format!("{target} is not deployed on lattice {lattice}"))
            .hint(hint);
    };
    if let Some(what) = revoked {
        let message = format!("{} is not served: {what} was revoked", record.name);
        return Failure::new(Exit::Denied, "revoked", message)
            .hint("deploy a module that is not revoked");
    }
    if nodes.is_empty() {
        return no_nodes(lattice, others(facts));
    }
    let refusal = nodes
        .iter()
        .flat_map(|node| node.refused.iter().map(move |refusal| (&node.heartbeat.node, refusal)))
        .find(|(_, refusal)| refusal.key == record.key && refusal.digest == record.digest);
    if let Some((node, refusal)) = refusal {
        let message =
            format!("{} is not served: node {node} refuses it: {}", record.name, refusal.error);
        return Failure { message, ..Failure::from(refusal.error.clone()) };
    }
    let fits = |labels: &Labels| record.labels.iter().all(|(k, v)| labels.get(k) == Some(v));
    if !nodes.iter().any(|node| fits(&node.heartbeat.labels)) {
        let wanted = labels(&record.labels);
        let message = format!(
            "{} is deployed, but none of the {} nodes has the labels {wanted}",
            record.name,
            nodes.len()
        );
        return not_found("no_eligible_node", message).hint(format!(
            "start a node with {}, or deploy it with other --label",
            record
                .labels
                .iter()
                .map(|(k, v)| format!("--label {k}={v}"))
                .collect::<Vec<_>>()
                .join(" ")
        ));
    }
    not_found("nobody_serves", format!("{} is deployed, but no node serves it yet", record.name))
        .hint("see what nodes say with `meshctl ls actors`, or try again")
}

/// Says that a lattice has no node.
pub fn no_nodes(lattice: &LatticeName, others: Option<String>) -> Failure {
    let others = others.map_or(String::new(), |others| {
        format!("; is it another lattice? --lattice takes one of: {others}")
    });
    not_found("no_node", format!("no node is running on lattice {lattice}"))
        .hint(format!("start one with `mesh-node --nats URL --lattice {lattice}`{others}"))
}

fn others(facts: &Facts<'_>) -> Option<String> {
    let others = facts.lattices.iter().filter(|other| *other != facts.lattice);
    let others: Vec<&str> = others.map(LatticeName::as_str).take(limits::NAMES_SHOWN_MAX).collect();
    (!others.is_empty()).then(|| others.join(", "))
}

fn not_found(code: &'static str, message: String) -> Failure {
    Failure::new(Exit::NotFound, code, message)
}

/// Writes labels as they are typed.
pub fn labels(labels: &Labels) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use lattice_protocol::control::Refusal;
    use lattice_protocol::keys::{Key, Node};
    use lattice_protocol::presence::Heartbeat;
    use lattice_protocol::{Error, ErrorCode};

    use super::*;
    use crate::fixture::record;

    fn node(labels: &[(&str, &str)]) -> Inventory {
        Inventory {
            heartbeat: Heartbeat {
                v: 1,
                node: Key::<Node>::generate().unwrap().0,
                version: "0".into(),
                labels: labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
                uptime_ms: 0,
                draining: false,
                in_flight: 0,
                calls: 0,
                actors: Vec::new(),
                actor_count: 0,
            },
            refused: Vec::new(),
            registry_at: None,
        }
    }

    #[test]
    fn each_cause_has_its_own_words_and_next_command() {
        let (lattice, other) = ("default".parse().unwrap(), "edge".parse().unwrap());
        let lattices = [lattice, other];
        let record = record();
        let (stranger, fit) = (node(&[("zone", "b")]), node(&[("zone", "a")]));
        let mut refusing = fit.clone();
        refusing.refused.push(Refusal {
            key: record.key.clone(),
            digest: record.digest.clone(),
            revision: 1,
            error: Error::not_started(ErrorCode::Unauthorized, "issuer not trusted"),
        });
        let base = Facts {
            target: "echo",
            lattice: &lattices[0],
            lattices: &lattices,
            record: Some(&record),
            revoked: None,
            nodes: &[],
        };
        let cases = [
            (Facts { record: None, ..base.clone() }, "not_deployed", Exit::NotFound, "edge"),
            (
                Facts { revoked: Some("its issuer"), ..base.clone() },
                "revoked",
                Exit::Denied,
                "deploy",
            ),
            (base.clone(), "no_node", Exit::NotFound, "mesh-node"),
            (
                Facts { nodes: std::slice::from_ref(&stranger), ..base.clone() },
                "no_eligible_node",
                Exit::NotFound,
                "--label zone=a",
            ),
            (
                Facts { nodes: &[stranger.clone(), refusing], ..base.clone() },
                "unauthorized",
                Exit::Denied,
                "sign",
            ),
            (Facts { nodes: &[fit], ..base.clone() }, "nobody_serves", Exit::NotFound, "ls actors"),
        ];
        for (facts, code, exit, hint) in cases {
            let failure = nobody_answers(&facts);
            assert_eq!((failure.code, failure.exit), (code, exit), "{failure}");
            assert!(failure.hint.unwrap().contains(hint), "{code}");
        }
    }
}
