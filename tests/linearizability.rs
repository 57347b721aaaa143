//! The search for a linear order of a history, against stateright's, which is slower and other
//! people's.

use epaxos_tui::check::history::{Call, Verdict, verdict};
use epaxos_tui::epaxos::command::{Operation, Outcome};
use proptest::prelude::*;
use stateright::semantics::register::{Register, RegisterOp, RegisterRet};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};

/// What a client does next: begins an operation where it has none under way, else ends it.
#[derive(Clone, Debug)]
struct Move {
    client: usize,
    /// What to write; nothing to read.
    write: Option<u8>,
    /// What a read returns.
    said: Said,
}

#[derive(Clone, Copy, Debug)]
enum Said {
    /// What the register holds when it is answered.
    Truth,
    /// This, whatever the register holds.
    Anything(Option<u8>),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let value = || 0..3u8;
    let anything = proptest::option::of(value()).prop_map(Said::Anything);
    let said = prop_oneof![6 => Just(Said::Truth), 1 => anything];
    let one = (0..4usize, proptest::option::of(value()), said);
    let one = one.prop_map(|(client, write, said)| Move { client, write, said });
    proptest::collection::vec(one, 0..22)
}

fn operation(write: Option<u8>) -> Operation {
    write.map_or(Operation::get("x"), |value| Operation::put("x", &value.to_string()))
}

fn outcome(write: Option<u8>, read: Option<u8>) -> Outcome {
    match (write, read) {
        (Some(_), _) => Outcome::Written,
        (None, Some(value)) => Outcome::Found(value.to_string().as_bytes().into()),
        (None, None) => Outcome::NotFound,
    }
}

/// The history of the moves, as we keep it and as stateright does.
fn histories(moves: &[Move]) -> (Vec<Call>, LinearizabilityTester<usize, Register<Option<u8>>>) {
    let mut tester = LinearizabilityTester::new(Register(None));
    let mut calls: Vec<Call> = Vec::new();
    // Per client, the call under way.
    let mut open: [Option<(usize, Option<u8>)>; 4] = [None; 4];
    // The register as it would be, did each write take effect when it is answered.
    let mut register = None;
    for (time, Move { client, write, said }) in (0..).zip(moves) {
        match open[*client].take() {
            None => {
                let op = write.map_or(RegisterOp::Read, |value| RegisterOp::Write(Some(value)));
                tester.on_invoke(*client, op).expect("nothing is under way");
                open[*client] = Some((calls.len(), *write));
                let hint = usize::try_from(time % 3).expect("small");
                calls.push(Call { operation: operation(*write), asked: time, answer: None, hint });
            }
            Some((call, write)) => {
                let read = match said {
                    Said::Truth => register,
                    Said::Anything(value) => *value,
                };
                if write.is_some() {
                    register = write;
                }
                let ret = write.map_or(RegisterRet::ReadOk(read), |_| RegisterRet::WriteOk);
                tester.on_return(*client, ret).expect("it was invoked");
                calls[call].answer = Some((time, outcome(write, read)));
            }
        }
    }
    (calls, tester)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_stateright(moves in moves()) {
        let (calls, tester) = histories(&moves);
        let linearizable = verdict(calls) == Verdict::Linearizable;
        prop_assert_eq!(linearizable, tester.is_consistent());
    }
}

/// Both answers come up in such histories, or the comparison would be of nothing.
#[test]
fn histories_are_of_both_kinds() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut kinds = [0, 0];
    for _ in 0..500 {
        let drawn = moves().new_tree(&mut runner).expect("moves can be drawn").current();
        let linearizable = verdict(histories(&drawn).0) == Verdict::Linearizable;
        kinds[usize::from(linearizable)] += 1;
    }
    assert!(kinds.iter().all(|count| *count > 50), "{kinds:?}");
}

/// A long history whose hints are right is gone through without a step back, even if all of it is under
/// way at once.
#[test]
fn a_long_history_is_no_trouble() {
    let call = |index: u64, width: u64| {
        let write = (!index.is_multiple_of(3)).then(|| u8::try_from(index % 200).expect("small"));
        let last = (index.checked_sub(1)).map(|last| u8::try_from(last % 200).expect("small"));
        Call {
            operation: operation(write),
            asked: 10 * index,
            answer: Some((10 * (index + width) + 5, outcome(write, last))),
            hint: usize::try_from(index).expect("small"),
        }
    };
    for width in [0, 2, 100_000] {
        let calls = (0..50_000).map(|index| call(index, width)).collect();
        assert_eq!(verdict(calls), Verdict::Linearizable, "{width} at once");
    }
}

/// Where there is no order, and very many to try, the search ends all the same.
#[test]
fn a_search_ends() {
    let write = |index: u8| Call {
        operation: operation(Some(index)),
        asked: u64::from(index),
        answer: Some((1_000, Outcome::Written)),
        hint: 0,
    };
    let never = Call {
        operation: operation(None),
        asked: 500,
        answer: Some((600, outcome(None, Some(255)))),
        hint: 0,
    };
    let few = |count| (0..count).map(write).chain([never.clone()]).collect();
    assert_eq!(verdict(few(5)), Verdict::NotLinearizable);
    assert_eq!(verdict(few(60)), Verdict::Unknown);
}
