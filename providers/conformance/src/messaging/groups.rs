//! Who gets what of a stream that several links receive from.

use lattice_protocol::ErrorCode;
use lattice_protocol::names::LinkName;
use mesh_provider::Config;

use super::desk::{BOUND, Desk, QUIET, ack, bodies, token};
use crate::checks::{fails, same};
use crate::{Heard, Report};

pub async fn checks(desk: &Desk<'_>, report: &mut Report) {
    report.check("links of one actor receive different things of a stream", apart(desk)).await;
    report.check("a group that receives another thing is refused", disagreeing(desk)).await;
}

/// A link that receives one subject of a stream that others receive from, too.
struct Part {
    name: LinkName,
    subject: String,
}

impl Part {
    fn new(stream: &LinkName, of: &str) -> Result<Self, String> {
        Ok(Self { name: token(of)?, subject: format!("suite.{stream}.{of}") })
    }

    fn config<'a>(&'a self, stream: &'a LinkName, more: &[(&'a str, &'a str)]) -> Config {
        let own =
            [("subjects", self.subject.as_str()), ("durable", "true"), ("stream", stream.as_str())];
        Config::of(own.into_iter().chain(more.iter().copied()))
    }

    async fn open(
        &self,
        desk: &Desk<'_>,
        stream: &LinkName,
        more: &[(&str, &str)],
    ) -> Result<(), String> {
        desk.actor.react(&self.name, ack);
        let opened = desk.lab.open(&self.name, self.config(stream, more)).await;
        opened.map(drop).map_err(|error| format!("the link {} does not open: {error}", self.name))
    }

    async fn heard(&self, desk: &Desk<'_>, count: usize) -> Result<Vec<Heard>, String> {
        let heard = desk.actor.until(&self.name, BOUND, |heard| heard.len() >= count).await;
        heard.map_err(|error| format!("{}: {error}", self.subject))
    }
}

async fn apart(desk: &Desk<'_>) -> Result<(), String> {
    let stream = token("apart")?;
    let (one, two) = (Part::new(&stream, "one")?, Part::new(&stream, "two")?);
    let came = async {
        desk.stream(stream.as_str(), &format!("suite.{stream}.>")).await?;
        one.open(desk, &stream, &[]).await?;
        two.open(desk, &stream, &[]).await?;
        for part in [&one, &two] {
            desk.publish(&part.subject, None, part.subject.clone()).await?;
        }
        for part in [&one, &two] {
            let heard = part.heard(desk, 1).await?;
            same("what came over a link", bodies(&heard)?, vec![part.subject.clone()])?;
        }
        let more = desk.actor.until(&one.name, QUIET, |heard| heard.len() > 1).await;
        same("whether more came", more.is_ok() || desk.actor.heard(&two.name).len() > 1, false)
    };
    let came = came.await;
    desk.close(&one.name).await;
    desk.close(&two.name).await;
    desk.forget(&one.subject).await;
    came
}

async fn disagreeing(desk: &Desk<'_>) -> Result<(), String> {
    let stream = token("disagreeing")?;
    let (one, two) = (Part::new(&stream, "one")?, Part::new(&stream, "two")?);
    let moved = Part { name: one.name.clone(), subject: format!("suite.{stream}.moved") };
    let group = [("group", "suite-group")];
    let came = async {
        desk.stream(stream.as_str(), &format!("suite.{stream}.>")).await?;
        one.open(desk, &stream, &group).await?;
        let opened = desk.lab.open(&two.name, two.config(&stream, &group)).await.map(drop);
        let error = fails("a group with other subjects", opened, &[ErrorCode::BadRequest])?;
        same("whether the group is named", error.message.contains("suite-group"), true)?;
        desk.publish(&one.subject, None, "first").await?;
        same(
            "what comes to who was first",
            bodies(&one.heard(desk, 1).await?)?,
            vec!["first".to_owned()],
        )?;
        // Who has the group for itself may receive something else from now on.
        moved.open(desk, &stream, &group).await?;
        desk.publish(&moved.subject, None, "second").await?;
        same(
            "what comes after a change",
            bodies(&moved.heard(desk, 1).await?)?,
            vec!["second".to_owned()],
        )
    };
    let came = came.await;
    desk.close(&one.name).await;
    desk.close(&two.name).await;
    desk.forget(&one.subject).await;
    came
}
