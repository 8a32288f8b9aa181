//! `mesh:keyvalue`.

use lattice_protocol::contract::Existed;
use lattice_protocol::contract::keyvalue::{
    CompareAndDelete, CompareAndSet, Contains, Increment, Key, KeyPage, Keys, Length, ListPage,
    ListPop, ListPush, ListRange, ListRemove, MemberList, Members, Number, Set, SetKeys, Swapped,
    Value, Values, Written,
};

super::contract_trait! {
    /// The store of one link: `mesh:keyvalue`.
    KeyValue, ServedKeyValue: keyvalue;
    /// Reads a value.
    get(GET: Key) -> Value;
    /// Writes a value, for some time or for good, under a condition or not.
    set(SET: Set) -> Written;
    /// Removes a key, whatever it holds.
    delete(DELETE: Key) -> Existed;
    /// Tells whether a key holds anything.
    exists(EXISTS: Key) -> Existed;
    /// Adds to a counter.
    increment(INCREMENT: Increment) -> Number;
    /// Writes a value if the present one is as expected.
    compare_and_set(COMPARE_AND_SET: CompareAndSet) -> Swapped;
    /// Removes a value if it is as expected.
    compare_and_delete(COMPARE_AND_DELETE: CompareAndDelete) -> Swapped;
    /// Lists keys by prefix, in pages.
    keys(KEYS: Keys) -> KeyPage;
    /// Adds to an end of a list.
    list_push(LIST_PUSH: ListPush) -> Length;
    /// Takes from an end of a list.
    list_pop(LIST_POP: ListPop) -> Values;
    /// Reads a part of a list.
    list_range(LIST_RANGE: ListRange) -> ListPage;
    /// Removes values from a list.
    list_remove(LIST_REMOVE: ListRemove) -> Length;
    /// Tells how long a list is.
    list_length(LIST_LENGTH: Key) -> Length;
    /// Removes a list.
    list_clear(LIST_CLEAR: Key) -> Existed;
    /// Adds members to a set.
    set_add(SET_ADD: Members) -> Length;
    /// Removes members from a set.
    set_remove(SET_REMOVE: Members) -> Length;
    /// Tells whether something is a member.
    set_contains(SET_CONTAINS: Contains) -> Existed;
    /// Lists the members of a set.
    set_members(SET_MEMBERS: Key) -> MemberList;
    /// Lists what is in any of several sets.
    set_union(SET_UNION: SetKeys) -> MemberList;
    /// Lists what is in each of several sets.
    set_intersection(SET_INTERSECTION: SetKeys) -> MemberList;
}
