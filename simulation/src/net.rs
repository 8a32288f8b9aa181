//! NATS as its clients know it: connections that keep the order of messages and lose them when
//! they end, queue groups that give each call to somebody who the server believes is there.

use lattice_protocol::Error;
use lattice_protocol::control::ActorStates;
use lattice_protocol::keys::ActorKey;
use lattice_protocol::presence::Heartbeat;
use rand::Rng;
use rand::seq::IndexedRandom;

use crate::limits;
use crate::look::{Question, Told};
use crate::node::Item;
use crate::schedule::{MS, Time};
use crate::world::{Event, Owner, World};

/// What a client sends.
#[derive(Clone, Debug)]
pub enum Up {
    Subscribe {
        sub: usize,
        actor: usize,
    },
    Unsubscribe {
        sub: usize,
    },
    /// A message to oneself.
    Fence {
        sub: usize,
    },
    Call(Message),
    Reply {
        to: usize,
        call: usize,
        attempt: u32,
        outcome: Result<u64, Error>,
    },
    /// Who has this attempt?
    Ask(Question),
    Told {
        to: usize,
        call: usize,
        attempt: u32,
        told: Told,
    },
    /// A question to every node.
    Inquire {
        actors: Vec<ActorKey>,
    },
    /// The answer to one.
    States {
        to: usize,
        states: ActorStates,
    },
    /// A node says that it is there.
    Beat(Box<Heartbeat>),
    /// The client has flushed and closes.
    Close,
}

/// What a client gets.
#[derive(Clone, Debug)]
pub enum Down {
    Fence { sub: usize },
    Call { sub: usize, message: Message },
    Reply { call: usize, attempt: u32, outcome: Result<u64, Error> },
    NoResponders { call: usize, attempt: u32 },
    Ask(Question),
    Told { call: usize, attempt: u32, told: Told },
    NobodyToAsk { call: usize, attempt: u32 },
    Inquire { from: usize, actors: Vec<ActorKey> },
    States(ActorStates),
    Beat(Box<Heartbeat>),
}

/// One attempt of a call, on its way.
#[derive(Clone, Debug)]
pub struct Message {
    pub from: usize,
    pub actor: usize,
    pub call: usize,
    pub attempt: u32,
    pub budget_ms: u32,
    pub min_revision: Option<u64>,
}

/// A client's connection.
#[derive(Debug)]
pub struct Conn {
    pub owner: Owner,
    /// Counts the connections that the server has had with this client.
    pub epoch: u64,
    /// The connection that the client believes to have; none while it knows of none.
    pub client: Option<u64>,
    /// Nothing passes until then.
    pub cut_until: Time,
    /// Whether what is under way is lost with the cut, not late.
    pub cut_loses: bool,
    /// What the client wants to send while it has no connection.
    pub queue: Vec<Up>,
    up_last: Time,
    down_last: Time,
}

/// A subscription as the server knows it.
#[derive(Clone, Copy, Debug)]
pub struct Interest {
    pub sub: usize,
    pub conn: usize,
    pub actor: usize,
}

impl Conn {
    pub fn new(owner: Owner) -> Self {
        Self {
            owner,
            epoch: 1,
            client: Some(1),
            cut_until: 0,
            cut_loses: false,
            queue: Vec::new(),
            up_last: 0,
            down_last: 0,
        }
    }
}

impl World {
    pub fn delay(&mut self) -> Time {
        // Most messages are quick, some are not.
        let most = if self.rng.random_bool(0.9) { 400 } else { limits::DELAY_MAX_US };
        self.rng.random_range(40..=most)
    }

    /// Sends something to the server, or keeps it for when there is a connection again.
    pub fn send(&mut self, conn: usize, up: Up) {
        let Some(epoch) = self.conns[conn].client else {
            self.conns[conn].queue.push(up);
            return;
        };
        let at = (self.now() + self.delay()).max(self.conns[conn].up_last);
        self.conns[conn].up_last = at;
        self.schedule.at(at, Event::Up { conn, epoch, up });
    }

    pub fn push(&mut self, conn: usize, down: Down) {
        let epoch = self.conns[conn].epoch;
        let at = (self.now() + self.delay()).max(self.conns[conn].down_last);
        self.conns[conn].down_last = at;
        self.schedule.at(at, Event::Down { conn, epoch, down });
    }

    /// Returns whether something of that connection gets through now; what is only late comes
    /// again later.
    fn passes(&mut self, conn: usize, epoch: u64, event: impl FnOnce() -> Event) -> bool {
        let state = &self.conns[conn];
        if state.epoch != epoch {
            return false;
        }
        if self.now() >= state.cut_until {
            return true;
        }
        if !state.cut_loses {
            let at = state.cut_until;
            self.schedule.at(at, event());
        }
        false
    }

    pub fn at_server(&mut self, conn: usize, epoch: u64, up: Up) {
        if !self.passes(conn, epoch, || Event::Up { conn, epoch, up: up.clone() }) {
            return;
        }
        match up {
            Up::Subscribe { sub, actor } => self.interests.push(Interest { sub, conn, actor }),
            Up::Unsubscribe { sub } => self.interests.retain(|interest| interest.sub != sub),
            Up::Fence { sub } => self.push(conn, Down::Fence { sub }),
            Up::Call(message) => self.route(&message),
            Up::Reply { to, call, attempt, outcome } => {
                self.push(to, Down::Reply { call, attempt, outcome });
            }
            Up::Ask(question) => self.ask(question),
            Up::Told { to, call, attempt, told } => {
                self.push(to, Down::Told { call, attempt, told });
            }
            Up::Inquire { actors } => self.tell_nodes(&Down::Inquire { from: conn, actors }),
            Up::States { to, states } => self.push(to, Down::States(states)),
            Up::Beat(beat) => self.tell_nodes(&Down::Beat(beat)),
            Up::Close => self.sever(conn),
        }
    }

    /// Gives a call to one member of the queue group.
    fn route(&mut self, message: &Message) {
        let twice = self.now() < self.duplicate_until && self.rng.random_bool(0.5);
        for _ in 0..1 + u32::from(twice) {
            let group: Vec<_> = self
                .interests
                .iter()
                .filter(|interest| interest.actor == message.actor)
                .map(|interest| (interest.sub, interest.conn))
                .collect();
            let Message { from, call, attempt, .. } = *message;
            match group.choose(&mut self.rng) {
                Some((sub, conn)) => {
                    self.push(*conn, Down::Call { sub: *sub, message: message.clone() });
                }
                None => self.push(from, Down::NoResponders { call, attempt }),
            }
        }
        if twice {
            self.calls[message.call].duplicates += 1;
        }
    }

    pub fn at_client(&mut self, conn: usize, epoch: u64, down: Down) {
        if !self.passes(conn, epoch, || Event::Down { conn, epoch, down: down.clone() }) {
            return;
        }
        match self.conns[conn].owner {
            Owner::Caller => self.arrived(conn, down),
            Owner::Node { node, life } => {
                self.at_node(node, life, crate::node::NodeEvent::Arrived(down));
            }
        }
    }

    /// Takes in what has reached a client that runs.
    pub fn arrived(&mut self, conn: usize, down: Down) {
        match down {
            Down::Fence { sub } => self.fence_back(sub),
            Down::Call { sub, message } => self.call_arrived(sub, message),
            Down::Reply { call, attempt, outcome } => self.replied(conn, call, attempt, outcome),
            Down::NoResponders { call, attempt } => self.nobody(call, attempt),
            Down::Ask(question) => self.asked(conn, question),
            Down::Told { call, attempt, told } => self.told(call, attempt, told),
            Down::NobodyToAsk { call, attempt } => self.nobody_to_ask(call, attempt),
            Down::Inquire { from, actors } => self.tell_loop(conn, Item::Asked { from, actors }),
            Down::States(states) => self.tell_loop(conn, Item::Heard(states)),
            Down::Beat(beat) => self.tell_loop(conn, Item::Beat(beat)),
        }
    }

    fn tell_loop(&mut self, conn: usize, item: Item) {
        if let Owner::Node { node, .. } = self.conns[conn].owner {
            self.nodes[node].mailbox.push_back(item);
            self.run_loop(node);
        }
    }

    /// Ends a connection on the server's side: what is under way is lost.
    pub fn sever(&mut self, conn: usize) {
        self.conns[conn].epoch += 1;
        self.interests.retain(|interest| interest.conn != conn);
    }

    /// Cuts a client off for a while. A long cut ends its connection, first for the server, then
    /// for the client.
    pub fn cut(&mut self, conn: usize, time: Time) {
        let (now, until) = (self.now(), self.now() + time);
        if self.conns[conn].cut_until > now {
            return;
        }
        let loses = time >= limits::SERVER_PING_MS * MS;
        self.conns[conn].cut_until = until;
        self.conns[conn].cut_loses = loses;
        if loses {
            let epoch = self.conns[conn].epoch;
            self.schedule.at(now + limits::SERVER_PING_MS * MS, Event::Sever { conn, epoch });
            let noticed = until.min(now + limits::CLIENT_PING_MS * MS);
            self.schedule.at(noticed, Event::Lost { conn, epoch });
            self.schedule.at(until + MS, Event::Reconnect { conn, epoch });
        }
    }

    /// Brings a client and the server together again: subscriptions first, then what waited.
    pub fn reconnect(&mut self, conn: usize) {
        if let Owner::Node { node, life } = self.conns[conn].owner
            && !(self.nodes[node].alive && self.nodes[node].life == life)
        {
            return;
        }
        self.conns[conn].client = Some(self.conns[conn].epoch);
        let waiting = std::mem::take(&mut self.conns[conn].queue);
        if let Owner::Node { node, .. } = self.conns[conn].owner {
            self.resubscribe(node);
        }
        for up in waiting {
            self.send(conn, up);
        }
    }
}
