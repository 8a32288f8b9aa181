//! Every bound of the engine, in one place.

/// Fewest slots of the instance pool that are made, whatever the machine's memory.
pub const SLOTS_MIN: u32 = 64;
/// Most slots that are made. Each reserves about 4 GiB of address space, none of it memory.
pub const SLOTS_MAX: u32 = 4_096;
/// Memory of the machine for which one slot is made.
pub const MACHINE_BYTES_PER_SLOT: u64 = 16 * 1024 * 1024;
/// Memory that a machine is taken to have where it does not tell.
pub const MACHINE_MEMORY_UNKNOWN_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Address space per linear memory: with all of a 32-bit memory reserved, compiled code needs no
/// bounds checks.
pub const MEMORY_RESERVATION_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// Address space beyond what a memory uses, where there is no pool.
pub const GROWTH_RESERVATION_BYTES: u64 = 1024 * 1024;
/// Memory of a slot that is reset in place and kept when the slot is free. What exceeds it goes
/// back to the system.
pub const SLOT_RESIDENT_BYTES: usize = 512 * 1024;
/// The same where the kernel can't tell which pages were written (before Linux 6.7): all of it is
/// written then at each call.
pub const SLOT_RESIDENT_UNTOLD_BYTES: usize = 64 * 1024;
/// Table bytes of a slot that are kept when it is free.
pub const TABLE_RESIDENT_BYTES: usize = 16 * 1024;
/// Free slots that keep memory.
pub const WARM_SLOTS_MAX: u32 = 256;

/// Tables of one module.
pub const TABLES_PER_MODULE_MAX: u32 = 4;
/// Elements of one table.
pub const TABLE_ELEMENTS_MAX: usize = 128 * 1024;
/// What one table element counts against an instance's memory.
pub const TABLE_ELEMENT_BYTES: usize = 8;
/// Metadata of one instance (its functions, globals, imports).
pub const INSTANCE_METADATA_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Stack that an actor's code may use; deeper recursion is a trap.
pub const WASM_STACK_BYTES: usize = 1024 * 1024;
/// Stack of one call, host calls included: what exceeds [`WASM_STACK_BYTES`] is theirs alone.
pub const CALL_STACK_BYTES: usize = 2 * 1024 * 1024;

/// Longest time that an actor's code runs before others get the thread.
pub const TICK_MAX_US: u64 = 2_000;
/// Shortest such time, when many loops compete.
pub const TICK_MIN_US: u64 = 100;
/// Time in which each of the loops that compete should have its turn, so that a passed deadline
/// is seen soon.
pub const TURN_OF_ALL_US: u64 = 20_000;
/// Ticks without any call after which the ticker sleeps until the next one.
pub const IDLE_TICKS_MAX: u32 = 100;

/// Instructions that the initialisation of a module may take when it is compiled: some tenths of a second.
/// What takes longer is done for each instance, within the time of its call.
pub const SNAPSHOT_FUEL: u64 = 200_000_000;
/// Stack of such an initialisation: it runs on that of the thread that compiles.
pub const SNAPSHOT_STACK_BYTES: usize = 256 * 1024;
/// Most memory that a snapshot is taken of; it is copied a few times while that is done.
pub const SNAPSHOT_MEMORY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Most memory of an instance that is rewound: what is looked at where pages were written is told page by page.
pub const REWIND_MEMORY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Pages that a call may have written for its instance to be rewound: they are written anew after each call.
/// No fewer than stay in a slot, or an instance that is made there never is.
pub const REWIND_PAGES_MAX: usize = SLOT_RESIDENT_BYTES / 4096;
/// Globals of a module whose instances are rewound.
pub const REWIND_GLOBALS_MAX: u8 = 64;

/// Compiled code that is kept on disk, all of it: what was used longest ago goes when there is more.
pub const CODE_CACHE_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Files of it.
pub const CODE_CACHE_FILES_MAX: u64 = 32 * 1024;
/// A process looks at the folder each time it has written so many parts of what may be there: by one part a process
/// the bounds may be exceeded meanwhile.
pub const CODE_CACHE_LOOKS: u64 = 16;
/// Compiled code of one module that is kept; larger code is compiled anew each time.
pub const CODE_FILE_BYTES_MAX: usize = 256 * 1024 * 1024;
/// What may be noted of it: the claims of its module.
pub const CODE_NOTE_BYTES_MAX: usize = lattice_protocol::limits::CLAIMS_BYTES_MAX;
/// Bytes of it that are read at once.
pub const CODE_READ_BYTES: usize = 64 * 1024;
/// Time after which a file that is not whole is taken for one whose writer has died.
pub const CODE_UNFINISHED_S_MAX: u64 = 60 * 60;

/// Calls that one warm instance serves before it is replaced.
pub const WARM_CALLS_MAX: u32 = 10_000;
/// Growth of a warm instance's memory after which it is replaced.
pub const WARM_GROWTH_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Idle warm instances of all actors together hold at most the slots divided by this.
pub const WARM_SLOTS_DIVISOR: u32 = 2;

/// Bytes of a binding or namespace in a host call.
pub const HOST_CALL_NAME_BYTES_MAX: usize = 512;

/// Bytes of one line of an actor's output; a longer one is split.
pub const LOG_LINE_BYTES_MAX: usize = 8 * 1024;
/// Bytes of output that one call may log; the rest is counted and dropped.
pub const LOG_CALL_BYTES_MAX: usize = 64 * 1024;
/// Bytes that a line counts at least, so that empty lines end too.
pub const LOG_LINE_BYTES_MIN: usize = 16;

/// Buffers of one WASI read or write.
pub const WASI_BUFFERS_MAX: u32 = 1_024;
/// Subscriptions of one WASI poll.
pub const WASI_SUBSCRIPTIONS_MAX: u32 = 256;
/// Random bytes that are made before the thread is yielded.
pub const WASI_RANDOM_CHUNK_BYTES: usize = 256 * 1024;

/// Frames of a trap's backtrace that its error names.
pub const TRAP_FRAMES_MAX: usize = 8;
/// Characters of a name that came out of a module and is shown.
pub const SHOWN_NAME_CHARACTERS_MAX: usize = 120;
/// Characters of an error that may quote a module.
pub const SHOWN_CAUSE_CHARACTERS_MAX: usize = 1_000;
