//! Answers pinger.

use mesh_actor::prelude::*;

/// What is said to ponger.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Ping {
    /// A few words.
    pub message: String,
}

/// What ponger says.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Pong {
    /// The words that came, after its own.
    pub said: String,
}

/// The actor.
pub struct Ponger;

#[actor]
impl Ponger {
    /// Returns pong, with the words that came.
    #[operation]
    fn ping(ping: Ping) -> Result<Pong> {
        log::info!("pinged with {:?}", ping.message);
        Ok(Pong { said: format!("pong: {}", ping.message) })
    }
}

#[cfg(test)]
mod tests {
    use mesh_actor::testing::Lattice;

    use super::*;

    #[test]
    fn a_ping_is_answered_and_logged() {
        let lattice = Lattice::new();
        let pong = lattice.run(|| Ponger::ping(Ping { message: "you?".to_owned() }));
        assert_eq!(pong, Ok(Pong { said: "pong: you?".to_owned() }));
        assert_eq!(lattice.log(), ["INFO: pinged with \"you?\""]);
    }
}
