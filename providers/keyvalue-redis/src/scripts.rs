//! Scripts that Redis runs: each is one atomic operation that no single command does.

use std::sync::LazyLock;

use redis::Script;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {$(
        $(#[$doc])*
        pub static $name: LazyLock<Script> =
            LazyLock::new(|| Script::new(include_str!(concat!("scripts/", $file, ".lua"))));
    )*};
}

scripts! {
    /// Writes a value if the present one is as expected.
    COMPARE_AND_SET = "compare_and_set";
    /// Removes a value if it is as expected.
    COMPARE_AND_DELETE = "compare_and_delete";
    /// Takes from an end of a list as much as an answer has room for.
    LIST_POP = "list_pop";
    /// Reads a part of a list, as much as an answer has room for, with its length.
    LIST_RANGE = "list_range";
    /// Removes a list, and nothing else.
    LIST_CLEAR = "list_clear";
    /// Adds members to a set that stays within its bound.
    SET_ADD = "set_add";
    /// Reads what is in any of several sets.
    SET_UNION = "set_union";
    /// Reads what is in each of several sets.
    SET_INTERSECTION = "set_intersection";
}
