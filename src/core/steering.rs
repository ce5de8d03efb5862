//! Which member of a `SO_REUSEPORT` group gets a new connection: classic BPF programs, as data.
//!
//! The kernel runs the program for every new connection and uses the result as the member's index.
//! An index without a member leaves the choice to the kernel's own hash (socket(7),
//! `SO_ATTACH_REUSEPORT_CBPF`). The packet begins behind the transport header there, so addresses
//! are read relative to the network header.

mod dealing;

use alloc::vec;
use alloc::vec::Vec;

pub use dealing::dealt;

/// One instruction of classic BPF (linux/filter.h, `struct sock_filter`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// What it does.
    pub code: u16,
    /// How many instructions to skip if true.
    pub jump_true: u8,
    /// How many instructions to skip if false.
    pub jump_false: u8,
    /// The operand.
    pub operand: u32,
}

/// A whole program.
pub type Program = Vec<Instruction>;

// linux/bpf_common.h: the class, and with it size, mode or operation.
const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const LOAD_HALF_AT_X: u16 = 0x48;
const LOAD_SCRATCH: u16 = 0x60;
const STORE_SCRATCH: u16 = 0x02;
const MULTIPLY: u16 = 0x24;
const AND: u16 = 0x54;
const SHIFT_LEFT: u16 = 0x64;
const SHIFT_RIGHT: u16 = 0x74;
const MODULO: u16 = 0x94;
const XOR_X: u16 = 0xac;
const JUMP: u16 = 0x05;
const JUMP_IF_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
const A_TO_X: u16 = 0x07;

/// linux/filter.h, `SKF_NET_OFF`: where the network header begins.
const NETWORK: u32 = 0xfff0_0000;
/// `SKF_AD_OFF + SKF_AD_RANDOM`: a random word.
const RANDOM: u32 = 0xffff_f000 + 56;

/// An index that no member has.
const NO_MEMBER: u32 = u32::MAX;

/// Sends every new connection to one member.
#[must_use]
pub fn only(member: usize) -> Program {
    vec![with(RETURN, index(member))]
}

/// Distributes new connections randomly over the given members; with none given, the kernel's hash
/// decides.
#[must_use]
pub fn among(members: &[usize]) -> Program {
    let mut program = Vec::new();
    spread(&mut program, members);
    program
}

/// Steers by the client's address: all connections of a client go to the member of one slot.
/// Clients of a slot without a member go to the others, also by address; all other clients keep
/// theirs.
#[must_use]
pub fn by_source(slots: &[Option<usize>]) -> Program {
    let members: Vec<_> = slots.iter().copied().flatten().collect();
    if members.is_empty() {
        return among(&members);
    }
    let mut program = Vec::new();
    hash_source(&mut program);
    program.push(with(STORE_SCRATCH, 0));
    program.push(with(MODULO, index(slots.len())));
    for (slot, member) in slots.iter().enumerate() {
        if let Some(member) = member {
            program.push(unless_equal(index(slot), 1));
            program.push(with(RETURN, index(*member)));
        }
    }
    if members.len() < slots.len() {
        program.push(with(LOAD_SCRATCH, 0));
        mix(&mut program);
        choose(&mut program, &members);
    } else {
        // Never reached, but a program must end in a return.
        program.push(with(RETURN, NO_MEMBER));
    }
    program
}

/// Sends the connection from local port `port` to `member`, and all others where another program
/// sends them: so pidone connects to a member that gets no other connections.
#[must_use]
pub fn own_connection(port: u16, member: usize, others: &[Instruction]) -> Program {
    let mut program = Vec::new();
    // The transport header begins with the source port; pidone's own packets have no IP options.
    if_ipv6(
        &mut program,
        &[with(LOAD_HALF, NETWORK + 40)],
        &[with(LOAD_HALF, NETWORK + 20)],
    );
    program.push(unless_equal(u32::from(port), 1));
    program.push(with(RETURN, index(member)));
    program.extend(others);
    program
}

/// Ends the program with a random member.
fn spread(program: &mut Program, members: &[usize]) {
    match members {
        [] => program.push(with(RETURN, NO_MEMBER)),
        [member] => program.push(with(RETURN, index(*member))),
        _ => {
            program.push(with(LOAD_WORD, RANDOM));
            choose(program, members);
        }
    }
}

/// Ends the program with the member at index A modulo their number. There must be at least one.
fn choose(program: &mut Program, members: &[usize]) {
    program.push(with(MODULO, index(members.len())));
    for (place, member) in members.iter().enumerate() {
        program.push(unless_equal(index(place), 1));
        program.push(with(RETURN, index(*member)));
    }
    program.push(with(RETURN, NO_MEMBER));
}

/// A = a hash of the source address. A dual-stack socket gets IPv4 packets as such, so an IPv4
/// client has the same hash on every socket.
fn hash_source(program: &mut Program) {
    const FACTOR: u32 = 0x9e37_79b1;
    let mut ipv6 = vec![with(LOAD_WORD, NETWORK + 8)];
    for offset in [12, 16, 20] {
        ipv6.extend([
            with(MULTIPLY, FACTOR),
            with(A_TO_X, 0),
            with(LOAD_WORD, NETWORK + offset),
            with(XOR_X, 0),
        ]);
    }
    if_ipv6(program, &ipv6, &[with(LOAD_WORD, NETWORK + 12)]);
    mix(program);
}

/// A = A with every bit depending on every other one, so that consecutive addresses are spread (two
/// rounds of xorshift and multiply, the constants of "lowbias32").
fn mix(program: &mut Program) {
    for (shift, factor) in [(16, 0x7feb_352d), (15, 0x846c_a68b)] {
        xor_shift(program, shift);
        program.push(with(MULTIPLY, factor));
    }
    xor_shift(program, 16);
}

fn xor_shift(program: &mut Program, shift: u32) {
    program.extend([with(A_TO_X, 0), with(SHIFT_RIGHT, shift), with(XOR_X, 0)]);
}

/// Runs one of two pieces, by the IP version in the packet's first four bits.
fn if_ipv6(program: &mut Program, ipv6: &[Instruction], ipv4: &[Instruction]) {
    program.push(with(LOAD_BYTE, NETWORK));
    program.push(with(SHIFT_RIGHT, 4));
    program.push(unless_equal(6, 1));
    program.push(with(JUMP, index(ipv4.len() + 1)));
    program.extend(ipv4);
    program.push(with(JUMP, index(ipv6.len())));
    program.extend(ipv6);
}

fn with(code: u16, operand: u32) -> Instruction {
    Instruction {
        code,
        jump_true: 0,
        jump_false: 0,
        operand,
    }
}

/// Skips `skip` instructions unless A equals the operand.
fn unless_equal(operand: u32, skip: u8) -> Instruction {
    Instruction {
        jump_false: skip,
        ..with(JUMP_IF_EQUAL, operand)
    }
}

/// A number that does not fit into an instruction becomes `NO_MEMBER`.
fn index(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(NO_MEMBER)
}
