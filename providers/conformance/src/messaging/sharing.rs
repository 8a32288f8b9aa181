//! Who gets a message where several could.

use super::desk::{BOUND, Desk, QUIET, ack, bodies, numbered, token};
use crate::Report;
use crate::checks::same;

/// Messages of a check.
const COUNT: usize = 400;

pub async fn checks(desk: &Desk<'_>, report: &mut Report) {
    report.check("processes that serve a link share its messages", processes(desk)).await;
    report.check("links of one group share, those of another get all", groups(desk)).await;
    report.check("subjects that overlap deliver once", overlapping(desk)).await;
}

async fn processes(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("processes")?;
    desk.actor.react(&name, ack);
    let subject = format!("suite.{name}");
    desk.open(&name, &[("subjects", &subject)]).await?;
    desk.publish_many(&subject, COUNT).await?;
    let heard = desk.actor.until(&name, BOUND, |heard| heard.len() >= COUNT).await;
    let more = desk.actor.until(&name, QUIET, |heard| heard.len() > COUNT).await;
    desk.close(&name).await;
    same("whether one came twice", more.is_ok(), false)?;
    same("what came", bodies(&heard?)?, numbered(COUNT))
}

async fn groups(desk: &Desk<'_>) -> Result<(), String> {
    let (one, two, other) = (token("one")?, token("two")?, token("other")?);
    let subject = format!("suite.{one}");
    for (name, group) in [(&one, "shared"), (&two, "shared"), (&other, "alone")] {
        desk.actor.react(name, ack);
        desk.open(name, &[("subjects", &subject), ("group", group)]).await?;
    }
    desk.publish_many(&subject, COUNT).await?;
    let alone = desk.actor.until(&other, BOUND, |heard| heard.len() >= COUNT).await;
    // Both are watched by one of them: what is missing there went to the other.
    let actor = desk.actor;
    let shared = actor.until(&one, BOUND, |heard| heard.len() + actor.heard(&two).len() >= COUNT);
    let shared = shared.await;
    for name in [&one, &two, &other] {
        desk.close(name).await;
    }
    same("what the other group gets", bodies(&alone?)?, numbered(COUNT))?;
    let mut both = shared?;
    both.clone_from(&actor.heard(&one));
    both.extend(actor.heard(&two));
    same("what the group gets", bodies(&both)?, numbered(COUNT))?;
    let fair = !actor.heard(&one).is_empty() && !actor.heard(&two).is_empty();
    same("whether both of them get some", fair, true)
}

async fn overlapping(desk: &Desk<'_>) -> Result<(), String> {
    let name = token("overlapping")?;
    desk.actor.react(&name, ack);
    let subjects = format!("suite.{name}.a, suite.{name}.*, suite.{name}.>");
    desk.open(&name, &[("subjects", &subjects)]).await?;
    desk.publish_many(&format!("suite.{name}.a"), 50).await?;
    let heard = desk.actor.until(&name, BOUND, |heard| heard.len() >= 50).await;
    let more = desk.actor.until(&name, QUIET, |heard| heard.len() > 50).await;
    desk.close(&name).await;
    same("whether one came twice", more.is_ok(), false)?;
    same("what came", bodies(&heard?)?, numbered(50))
}
