//! The union and the intersection of sets, one set after the other: never more in memory than an answer
//! may have, and one set.

use std::collections::HashSet;

use lattice_protocol::Error;
use lattice_protocol::contract::ByteBuf;
use lattice_protocol::contract::keyvalue::MemberList;
use mesh_provider::keyvalue::MemberRoom;

/// What several sets are made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What any of them has.
    Union,
    /// What all of them have.
    Intersection,
}

/// What the sets so far have together.
pub struct Combined {
    way: Way,
    begun: bool,
    members: Vec<ByteBuf>,
    known: HashSet<ByteBuf>,
    room: MemberRoom,
}

impl Combined {
    pub fn new(way: Way) -> Self {
        let (members, known) = (Vec::new(), HashSet::new());
        Self { way, begun: false, members, known, room: MemberRoom::default() }
    }

    /// Adds a set.
    ///
    /// # Errors
    /// `too_large` where a union would have more than an answer may.
    pub fn add(&mut self, set: Vec<ByteBuf>) -> Result<(), Error> {
        match self.way {
            Way::Union => {
                for member in set {
                    if self.known.insert(member.clone()) {
                        self.room.take(&member)?;
                        self.members.push(member);
                    }
                }
            }
            Way::Intersection if self.begun => {
                let here: HashSet<ByteBuf> = set.into_iter().collect();
                self.members.retain(|member| here.contains(member));
            }
            Way::Intersection => self.members = set,
        }
        self.begun = true;
        Ok(())
    }

    /// Returns the members.
    ///
    /// # Errors
    /// `too_large` where there are more than an answer may have.
    pub fn into_list(self) -> Result<MemberList, Error> {
        let mut room = MemberRoom::default();
        self.members.iter().try_for_each(|member| room.take(member))?;
        Ok(MemberList { members: self.members })
    }
}

#[cfg(test)]
mod tests {
    use lattice_protocol::ErrorCode;
    use lattice_protocol::contract::limits::keyvalue::SET_MEMBERS_MAX;

    use super::*;

    fn set(members: &[&str]) -> Vec<ByteBuf> {
        members.iter().map(|member| ByteBuf::from(*member)).collect()
    }

    fn combined(way: Way, sets: &[&[&str]]) -> Vec<ByteBuf> {
        let mut combined = Combined::new(way);
        for members in sets {
            combined.add(set(members)).unwrap();
        }
        combined.into_list().unwrap().members
    }

    #[test]
    fn sets_are_united_and_intersected() {
        let sets: [&[&str]; 3] = [&["a", "b", "c"], &["c", "b"], &["b", "d"]];
        assert_eq!(combined(Way::Union, &sets), set(&["a", "b", "c", "d"]));
        assert_eq!(combined(Way::Intersection, &sets), set(&["b"]));
        assert_eq!(combined(Way::Intersection, &[&[], &["a"]]), set(&[]));
        assert_eq!(combined(Way::Intersection, &[]), set(&[]));
    }

    #[test]
    fn a_union_that_no_answer_has_room_for_ends_where_that_is_seen() {
        let mut union = Combined::new(Way::Union);
        let half = SET_MEMBERS_MAX / 2 + 1;
        let members = |from: usize| -> Vec<ByteBuf> {
            (from..from + half).map(|n| ByteBuf::from(n.to_string())).collect()
        };
        union.add(members(0)).unwrap();
        // The same again needs no room.
        union.add(members(0)).unwrap();
        assert_eq!(union.add(members(half)).unwrap_err().code, ErrorCode::TooLarge);
    }
}
