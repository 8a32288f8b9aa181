//! Writes down each call that it runs, so that the fault bench knows what ran, and how often,
//! whether or not the answer arrived.

use std::hint::black_box;

use mesh_actor::prelude::*;

/// Ends with the revision of the code. Of a fixed length and kept in one piece, so that a revision
/// is made by replacing these bytes in the module, without a compiler.
pub const MARK: &str = "ledger of the mesh, text 0000000000000000";
/// Digits at the end of [`MARK`].
const MARK_DIGITS: usize = 16;
/// The list of what ran, in the order in which the store took it.
pub const LIST: &str = "ran";
/// Steps of work that one call may ask for.
pub const STEPS_MAX: u32 = 100_000_000;

/// One call.
#[derive(Debug, Serialize, Deserialize)]
pub struct Entry {
    /// Tells it from all others.
    pub number: u64,
    /// Steps of work after it was written down.
    #[serde(default)]
    pub steps: u32,
    /// Whether nothing is written down: work alone.
    #[serde(default)]
    pub unwritten: bool,
}

/// What is answered.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The call's number.
    pub number: u64,
    /// Revision of the code that ran, as its own text says.
    pub code: u64,
}

/// The actor.
pub struct Ledger;

#[actor]
impl Ledger {
    /// Writes the call down as `NUMBER CODE`, works, and answers.
    #[operation]
    fn enter(entry: Entry) -> Result<Receipt> {
        if entry.steps > STEPS_MAX {
            let most = format!("`steps` is {}, and must be at most {STEPS_MAX}", entry.steps);
            return Err(Error::actor(most));
        }
        let code = code();
        if !entry.unwritten {
            let line = format!("{} {code}", entry.number);
            keyvalue::Store::default().list_push(LIST, keyvalue::ListSide::Back, [line])?;
        }
        work(entry.steps);
        Ok(Receipt { number: entry.number, code })
    }
}

/// Returns the revision that [`MARK`] ends with.
fn code() -> u64 {
    let mark = black_box(MARK);
    let digits = mark.len().saturating_sub(MARK_DIGITS);
    mark.get(digits..).and_then(|digits| digits.parse().ok()).unwrap_or_default()
}

/// Computes something that no compiler leaves out.
fn work(steps: u32) {
    let mut state = u64::from(steps) | 1;
    for _ in 0..steps {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state = black_box(state);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use mesh_actor::testing::Lattice;

    use super::*;

    #[derive(Deserialize)]
    struct Push {
        key: String,
        values: Vec<ByteBuf>,
    }

    #[derive(Serialize)]
    struct Length {
        length: u64,
    }

    fn entry(number: u64) -> Entry {
        Entry { number, steps: 3, unwritten: false }
    }

    #[test]
    fn each_run_is_one_line() {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let written = lines.clone();
        let lattice = Lattice::new().answer("mesh:keyvalue", move |operation, push: Push| {
            assert_eq!((operation, push.key.as_str()), ("list_push", LIST));
            let mut lines = written.borrow_mut();
            lines.extend(push.values.iter().map(|line| String::from_utf8(line.to_vec()).unwrap()));
            Ok(Length { length: lines.len() as u64 })
        });
        for number in [7, 8, 7] {
            let receipt = lattice.run(|| Ledger::enter(entry(number)));
            assert_eq!(receipt, Ok(Receipt { number, code: 0 }));
        }
        assert_eq!(*lines.borrow(), ["7 0", "8 0", "7 0"]);
        lattice.run(|| Ledger::enter(Entry { unwritten: true, ..entry(9) })).unwrap();
        assert_eq!(lines.borrow().len(), 3);
    }

    #[test]
    fn what_is_not_written_down_is_not_answered() {
        let error = HostError::new(ErrorCode::NoLink, "there is none");
        let lattice = Lattice::new().refuse("mesh:keyvalue", error);
        assert!(lattice.run(|| Ledger::enter(entry(1))).is_err());
    }

    #[test]
    fn work_is_bounded() {
        let much = Entry { steps: STEPS_MAX + 1, ..entry(1) };
        let error = Lattice::new().run(|| Ledger::enter(much)).unwrap_err().to_string();
        assert!(error.contains("at most"), "{error}");
    }
}
