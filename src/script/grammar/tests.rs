//! Commands read back as written, and what is none is refused in a sentence.

use super::*;
use crate::observe::links::LinkId;
use crate::script::words::At;
use proptest::prelude::*;

fn parse(line: &str) -> Command {
    Command::parse(line).expect(line).expect("a command")
}

fn refused(line: &str) -> String {
    Command::parse(line).expect_err(line).to_string()
}

#[test]
fn commands_read_back_as_written() {
    for line in [
        "put x 1",
        "put x 'hello world' @R4",
        "put x 1 as=alice#7",
        "del x @R2 as=alice#7",
        "get x 'as=the other one#18446744073709551615'",
        "batch 'put x 1 as=alice#7' 'get x' @R1",
        "put -k -1",
        "get x @R2",
        "del x",
        "batch 'put x 1' 'get y' 'del z' @R2",
        "burst 20 keys=3 conflict=30",
        "pause",
        "run",
        "step 3",
        "step all",
        "round",
        "break path=slow",
        "break component>1 key=x !leader=R0",
        "unbreak",
        "unbreak kind=recover",
        "preview R0-5",
        "preview R3",
        "deliver R0-5",
        "drop kind=Accept to=R1",
        "dup R3-0/1",
        "hold kind=Commit from=R0 to=R3 instance=R0.1",
        "hold",
        "release",
        "wake R2",
        "partition R0 R1 / R2 R3 R4",
        "cut R0 R3",
        "uncut R0 R3",
        "heal",
        "heal R0 R3",
        "loss 20",
        "loss 20 R0 R3",
        "dup 5",
        "dup 5 R0 R3",
        "dup kind=Commit to=R1",
        "delay 20ms",
        "delay 5ms..40ms",
        "delay 5ms..1s500ms R0 R3",
        "delay 0s kind=Commit to=R1",
        "seed 7",
        "crash R0",
        "recover R0",
        "settle",
        "sleep 1s200ms",
        "status R0.1",
        "order",
        "why R0.1 dep=R4.0 @R1",
        "help put",
    ] {
        assert_eq!(parse(line).to_string(), line);
    }
    assert_eq!(parse("step"), Command::Step { count: Count::Some(1) });
    assert_eq!(parse("put x -1").to_string(), "put x -1");
    assert_eq!(parse("sleep 1200ms").to_string(), "sleep 1s200ms");
    assert_eq!(Command::parse("  # a comment"), Ok(None));
}

#[test]
fn what_is_no_command_is_refused_in_a_sentence() {
    assert_eq!(
        refused("put x"),
        "the following required arguments were not provided: <VALUE>; it is written: put <KEY> <VALUE> [@R|as=CLIENT#N]..."
    );
    assert_eq!(refused("putt x 1"), "there is no command 'putt'");
    assert_eq!(
        refused("put x 1 R3"),
        "invalid value 'R3' for '[@R|as=CLIENT#N]...': a replica to ask is written with @, such as @R3"
    );
    assert_eq!(
        refused("hold R0-1"),
        "R0-1 is one message; a rule describes messages to come, such as kind=Commit"
    );
    for name in ["alice", "alice#", "#7", "~R2#7", "alice#-1", "alice#18446744073709551616"] {
        let sentence = refused(&format!("put x 1 as={name}"));
        assert!(sentence.ends_with("expected a client and a number, such as as=alice#7"), "{name}");
    }
    assert_eq!(refused("put x 1 @R0 @R1"), "a proposal goes to one replica");
    assert_eq!(refused("get x as=alice#7 as=bob#7"), "a request has one name");
    assert_eq!(refused("put 'x 1"), "a quotation mark has no partner");
    assert!(refused("sleep 584542046000years").contains("nobody waits longer than a day"));
    assert_eq!(refused("cut R0 R0"), "R0 has no link to itself");
    assert_eq!(refused("uncut R3 R3"), "R3 has no link to itself");
    assert_eq!(refused("heal R2 R2"), "R2 has no link to itself");
    assert!(refused("hold kind=Prepare").contains("there is no message \"Prepare\""));
    assert!(refused("deliver kind=Commit kind=Accept").contains("can be given once"));
}

#[test]
fn a_share_and_a_message_are_told_apart() {
    let share = |percent, link| Ok(Doubling::Share(percent, link));
    let doubling = |line: &str| match parse(line) {
        Command::Dup { first, rest } => Doubling::from_words(first, &rest),
        other => panic!("{other:?}"),
    };
    let link = LinkId { from: ReplicaId(0), to: ReplicaId(3) };
    assert_eq!(doubling("dup 5"), share(5, None));
    assert_eq!(doubling("dup 5%"), share(5, None));
    assert_eq!(doubling("dup 5 R0 R3"), share(5, Some(link)));
    assert!(matches!(doubling("dup R0-5"), Ok(Doubling::Messages(Which::Id(_)))));
    assert!(matches!(doubling("dup to=R0"), Ok(Doubling::Messages(Which::Filter(_)))));
    assert!(refused("dup R0").contains("\"R0\" is not a message, such as R0-5"));
    assert!(refused("dup R0").contains("nor a percentage for all messages to come"));
    assert!(refused("dup 101").contains("\"101\" is not a percentage from 0 to 100"));
    assert!(refused("dup 5-").contains("\"5-\" is not a message"));
    assert_eq!(refused("dup 5 R0 R0"), "R0 has no link to itself");
    assert_eq!(refused("dup 5 R0"), "a link is named by its two ends alone, such as R0 R3");
    assert_eq!(
        refused("dup 5 kind=Commit"),
        "a share is doubled on all links or on one, such as R0 R3"
    );
    assert_eq!(refused("dup R0-5 R1"), "R1 is no part of a description; from=R1 is");
    assert_eq!(
        refused("dup R0-5 kind=Commit"),
        "R0-5 names one message and needs nothing beside it"
    );
}

#[test]
fn a_rule_of_links_that_makes_no_sense_is_refused_in_a_sentence() {
    assert_eq!(
        refused("loss 101"),
        "invalid value '101' for '<PERCENT>': \"101\" is not a percentage from 0 to 100"
    );
    assert!(refused("loss -1").contains("-1"));
    assert!(refused("loss some").contains("\"some\" is not a percentage from 0 to 100"));
    assert_eq!(refused("loss 5 R1 R1"), "R1 has no link to itself");
    assert!(refused("loss 5 R1").contains("<TO>"));
    assert!(refused("heal R1").contains("<TO>"));
    assert!(refused("loss 5 R1 R9").contains("\"R9\" is not a replica, such as R0"));
    assert_eq!(refused("delay 5ms R1 R1"), "R1 has no link to itself");
    for reversed in ["delay 40ms..5ms", "delay 5ms..5ms"] {
        assert!(refused(reversed).contains("from a shorter time to a longer one"));
    }
    for open in ["delay 5ms..", "delay ..40ms", "delay .."] {
        assert!(refused(open).contains("a range has two ends, such as 5ms..40ms"));
    }
    assert!(refused("delay 5").contains("expected such as 200ms or 1s"));
    assert!(refused("delay 1ms..2days").contains("nobody waits longer than a day"));
    assert_eq!(
        refused("delay 5ms R0-1"),
        "R0-1 is one message; a rule describes messages to come, such as kind=Commit"
    );
    assert_eq!(
        refused("delay 5ms R0 kind=Commit"),
        "a link is named by its two ends alone, such as R0 R3"
    );
    assert!(refused("delay 5ms nobody").contains("nor a description of messages"));
    assert!(refused("seed x").contains("invalid value 'x' for '<SEED>'"));
}

proptest! {
    #[test]
    fn any_line_is_a_command_or_a_sentence(line in "\\PC{0,40}") {
        if let Err(error) = Command::parse(&line) {
            prop_assert!(!error.to_string().is_empty());
            prop_assert!(!error.to_string().contains('\n'));
        }
    }

    #[test]
    fn any_text_can_be_put(key in "\\PC{1,9}", value in "\\PC{0,9}") {
        let put = Command::Put { key, value, to: vec![To::At(At(ReplicaId(1)))] };
        prop_assert_eq!(Command::parse(&put.to_string()), Ok(Some(put)));
    }
}
