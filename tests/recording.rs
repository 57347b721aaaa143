//! A run as a file: what was written down is had again, and what is damaged is read as far as it goes.

#[path = "multiverse/runs.rs"]
mod runs;

use std::sync::{Arc, Mutex};

use epaxos_tui::multiverse::reader::{Difference, NotARecording, Recorded};
use epaxos_tui::multiverse::recorder::Recorder;
use epaxos_tui::multiverse::tree::BranchId;
use epaxos_tui::node::cluster::Options;
use epaxos_tui::node::live::{LiveWorld, Rerun};
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::observe::turn::Expected;
use epaxos_tui::observe::view::View;
use epaxos_tui::script::grammar::Command;
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;
use epaxos_tui::tools::simulate::Search;
use proptest::prelude::*;

use runs::{Act, acts, perform};

/// A random run of three, written down.
fn written(acts: &[Act]) -> (Cluster, String) {
    let mut cluster = Cluster::new(Shape::new(3));
    cluster.listen();
    let (mut recorder, first) = Recorder::new(&Shape::new(3));
    let mut lines = vec![first];
    let (mut session, mut view) = (Session::default(), View::new(Shape::new(3)));
    for act in acts {
        perform(&mut cluster, &mut session, *act);
        for notice in cluster.take_notices() {
            recorder.note(&notice);
            view.apply(notice);
            lines.extend(recorder.lines(&view.log));
        }
    }
    lines.push(recorder.end());
    (cluster, lines.join("\n") + "\n")
}

/// A random run of the simulator, with all kinds of faults, can be opened like any other.
#[test]
fn what_was_simulated_is_had_again() {
    for seed in 0..24 {
        let text = Search::new(seed..seed + 1, None).recording(seed).expect("a recording");
        let mut recorded = Recorded::read(&text).expect("a recording");
        assert_eq!(recorded.damage, None, "seed {seed}");
        assert_eq!(recorded.verify(), Ok(()), "seed {seed}");
        assert!(recorded.multiverse.main().len() > 10, "seed {seed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_was_written_down_is_had_again(acts in acts(120)) {
        let (cluster, text) = written(&acts);
        let mut recorded = Recorded::read(&text).expect("a recording");
        prop_assert_eq!(&recorded.damage, &None);
        prop_assert_eq!(recorded.verify(), Ok(()));
        let again = recorded.multiverse.at(BranchId::MAIN, u64::MAX).expect("its end");
        prop_assert_eq!(again.view().log.len(), cluster.view().log.len());
        for id in epaxos_tui::epaxos::id::ReplicaId::all(3) {
            prop_assert_eq!(again.seat(id), cluster.seat(id));
        }
    }

    /// A file that was cut off anywhere is read up to its last whole line.
    #[test]
    fn a_file_that_was_cut_off_is_read_up_to_there(acts in acts(60), cut in any::<prop::sample::Index>()) {
        let (_, text) = written(&acts);
        let cut = cut.index(text.len());
        let Some(part) = text.get(..cut) else { return Ok(()) };
        let whole = part.matches('\n').count();
        match Recorded::read(part) {
            Err(NotARecording::Header(_)) => prop_assert_eq!(whole, 0),
            Err(error) => prop_assert!(false, "{}", error),
            Ok(mut recorded) => {
                prop_assert_eq!(recorded.digests.len(), whole.saturating_sub(1));
                prop_assert!(recorded.damage.is_some());
                prop_assert_eq!(recorded.verify(), Ok(()));
            }
        }
    }

    /// Also in the middle of a character, and where what stands in a line is no text at all.
    #[test]
    fn bytes_that_are_no_text_end_a_recording_and_are_no_disaster(
        acts in acts(40),
        place in any::<prop::sample::Index>(),
    ) {
        let (_, text) = written(&acts);
        let text = text.replace("\"x\"", "\"schlüssel日本\"");
        let header = text.find('\n').expect("lines") + 1;
        let place = header + place.index(text.len() - header);
        let whole = text.as_bytes()[..place].split(|byte| *byte == b'\n').count() - 1;
        let (before, after) = text.as_bytes().split_at(place);
        let junk = [before, &[0xff], after].concat();
        for bytes in [before.to_vec(), junk] {
            let mut recorded = Recorded::read(&bytes).expect("its first line is whole");
            prop_assert_eq!(recorded.digests.len(), whole - 1);
            prop_assert_eq!(recorded.damage.take().map(|it| it.line), Some(whole + 1));
            recorded.multiverse.at(BranchId::MAIN, u64::MAX).expect("what is left is possible");
        }
    }

    /// Whatever stands in a file, it is read as far as it makes sense, or refused.
    #[test]
    fn a_damaged_file_is_no_disaster(
        acts in acts(60),
        place in any::<prop::sample::Index>(),
        byte in any::<char>(),
    ) {
        let (_, text) = written(&acts);
        let mut chars: Vec<char> = text.chars().collect();
        let place = place.index(chars.len());
        chars[place] = byte;
        let damaged: String = chars.into_iter().collect();
        if let Ok(mut recorded) = Recorded::read(&damaged) {
            let read = recorded.multiverse.main().len();
            if recorded.verify().is_err() {
                prop_assert!(recorded.multiverse.main().len() <= read);
            }
            recorded.multiverse.at(BranchId::MAIN, u64::MAX).expect("what is left is possible");
        }
    }
}

#[test]
fn what_is_no_text_is_said_with_its_line() {
    let (_, text) = written(&[Act::Put(0, 0), Act::Settle]);
    let len = Recorded::read(&text).expect("a recording").digests.len();
    let third = text.match_indices('\n').nth(1).expect("lines").0 + 10;
    let mut bytes = text.clone().into_bytes();
    bytes[third] = 0xff;
    let recorded = Recorded::read(&bytes).expect("a recording");
    let damage = recorded.damage.expect("it is damaged").to_string();
    assert_eq!(damage, "line 3: the line is no text: byte 10 of it is no UTF-8");
    assert_eq!(recorded.digests.len(), 1);
    // Whatever comes after the end, all of the run is there.
    let recorded = Recorded::read([text.as_bytes(), b"\xfe\xff\x00"].concat()).expect("it is");
    assert_eq!(recorded.digests.len(), len);
    assert!(recorded.damage.expect("junk").reason.contains("more after the end"));
    assert!(matches!(Recorded::read(b"\xff\xfe"), Err(NotARecording::Header(_))));
}

fn lines(text: &str, change: impl Fn(usize, &str) -> String) -> String {
    let changed: Vec<_> = text.lines().enumerate().map(|(at, line)| change(at, line)).collect();
    changed.join("\n") + "\n"
}

#[test]
fn other_versions_are_refused() {
    let (_, text) = written(&[Act::Put(0, 0), Act::Settle]);
    let newer = text.replacen("\"epaxos_recording\":1", "\"epaxos_recording\":2", 1);
    let error = Recorded::read(&newer).expect_err("a version that nobody knows");
    assert_eq!(error, NotARecording::Version(2));
    assert_eq!(
        error.to_string(),
        "it is a recording of version 2, and this program reads version 1"
    );
    for text in ["", "{}", "put x 1\n", "{\"epaxos_recording\":1}\n"] {
        assert!(matches!(Recorded::read(text), Err(NotARecording::Header(_))), "{text}");
    }
}

#[test]
fn what_cannot_have_happened_is_named() {
    let (_, text) = written(&[Act::Put(0, 0), Act::Settle]);
    let changed = lines(&text, |at, line| {
        if at == 2 { line.replace("\"digest\":\"", "\"digest\":\"f") } else { line.to_owned() }
    });
    let mut recorded = Recorded::read(&changed).expect("a recording");
    // Seventeen digits are no digest.
    assert_eq!(recorded.multiverse.main().len(), 1);
    assert!(recorded.damage.take().is_some_and(|damage| damage.line == 3));

    let other = lines(&text, |at, line| {
        if at == 2 { line.replace(&line[line.len() - 6..], "1234\"}") } else { line.to_owned() }
    });
    let mut recorded = Recorded::read(&other).expect("a recording");
    assert_eq!(recorded.verify(), Err(Difference::Digest { at: 1 }));

    let never = text.replacen("R0-1\"", "R0-77\"", 1);
    let mut recorded = Recorded::read(&never).expect("a recording");
    assert!(matches!(recorded.verify(), Err(Difference::Impossible { .. })));
}

/// The lines of a live run of a script.
fn live(options: &Options, script: &str) -> String {
    let mut world = LiveWorld::start(options, false).expect("the loopback has free ports");
    let (mut recorder, first) = Recorder::new(&world.view().shape);
    let lines = Arc::new(Mutex::new((vec![first], String::new())));
    let written = lines.clone();
    world.on_notices(move |notice, view| {
        recorder.note(notice);
        let mut lines = written.lock().unwrap();
        lines.0.extend(recorder.lines(&view.log));
        lines.1 = recorder.end();
    });
    let mut session = Session::default();
    for line in script.lines() {
        let command = Command::parse(line).expect(line).expect(line);
        // Where a replica is down, what is asked of it fails.
        session.perform(&mut world, &command).ok();
    }
    world.shutdown();
    let (lines, end) = Arc::try_unwrap(lines).expect("the world is gone").into_inner().unwrap();
    format!("{}\n{end}\n", lines.join("\n"))
}

/// What happened on real gRPC, with crashes, comes to the same in the simulator, digest by digest.
#[test]
fn a_live_run_with_crashes_is_had_again_in_the_simulator() {
    let options = Options::new(5);
    let script = "loss 5\nburst 200 keys=5 conflict=40\ncrash R1\nburst 100 conflict=50\nsettle\n\
                  recover R1\ndup 10\ndelay 0ms..3ms\nburst 200 conflict=30\nsleep 400ms\ncrash R4\n\
                  put x 1 @R0\nwake R2\nrecover R4\nheal\nsettle";
    let text = live(&options, script);
    let mut recorded = Recorded::read(&text).expect("a recording");
    assert_eq!(recorded.damage, None);
    let len = recorded.multiverse.main().len();
    assert!(len > 1_000, "{len}");
    assert!(text.contains("\"event\":\"crash\"") && text.contains("\"event\":\"recover\""));
    assert_eq!(recorded.verify(), Ok(()));
    assert_eq!(recorded.multiverse.main().len(), len);
}

/// Also where a program fails in the middle of a step.
#[test]
fn a_live_run_in_which_a_replica_panics_is_had_again() {
    let options = Options {
        panic_at: Some((epaxos_tui::epaxos::id::ReplicaId(2), "boom".into())),
        ..Options::new(3)
    };
    let text =
        live(&options, "put a 1\nput boom 1\nsettle\nput b 2\nsettle\nrecover R2\nput c 3\nsettle");
    let mut recorded = Recorded::read(&text).expect("a recording");
    assert!(text.contains("\"event\":\"panic\""), "{text}");
    assert_eq!((recorded.verify(), recorded.damage), (Ok(()), None));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    /// What was simulated comes to the same, state by state, on real gRPC.
    #[test]
    fn a_simulated_run_is_had_again_on_grpc(acts in acts(80)) {
        let (_, text) = written(&acts);
        let multiverse = Recorded::read(&text).expect("a recording").multiverse;
        let expected = multiverse.expected(BranchId::MAIN).expect("it was possible before");
        let rerun = LiveWorld::rerun(multiverse.shape(), &expected, |_| ()).expect("a cluster");
        prop_assert_eq!(rerun, Rerun { same: expected.len() as u64, ended: None });
    }
}

/// A difference is found where it is, in what is said and in what is not.
#[test]
fn what_is_not_determined_is_found() {
    let (_, text) = written(&[Act::Put(0, 0), Act::Put(1, 0), Act::Settle]);
    let multiverse = Recorded::read(&text).expect("a recording").multiverse;
    let expected = multiverse.expected(BranchId::MAIN).expect("it was possible before");
    let rerun = |expected: &[Expected]| {
        let rerun = LiveWorld::rerun(multiverse.shape(), expected, |_| ()).expect("a cluster");
        (rerun.same, rerun.ended.map(|unlike| unlike.to_string()).unwrap_or_default())
    };
    let mut other = expected.clone();
    other[4].step.effects.pop();
    let (same, why) = rerun(&other);
    assert_eq!(same, 4);
    assert!(why.starts_with("NOT DETERMINISTIC: #4 came to something else on gRPC"), "{why}");

    let mut other = expected.clone();
    other[3].state ^= 1;
    let (same, why) = rerun(&other);
    assert_eq!(same, 3);
    assert!(why.contains("is in another state, though it said the same"), "{why}");

    let mut other = expected;
    other.remove(1);
    let (same, why) = rerun(&other);
    assert!(same < other.len() as u64 && !why.is_empty(), "{same} {why}");
}

/// What no program would write is refused, and brings nothing down.
#[test]
fn hostile_recordings_are_refused() {
    let (_, text) = written(&[Act::Put(0, 0), Act::Settle]);
    let read = |from: &str, to: &str| {
        assert!(text.contains(from), "{from} in {text}");
        let mut recorded =
            Recorded::read(text.replacen(from, to, 1)).map_err(|it| it.to_string())?;
        let damage = recorded.damage.take().map(|damage| damage.reason);
        damage.map_or_else(|| recorded.verify().map_err(|it| it.to_string()), Err)
    };
    let deliver = "\"replica\":\"R1\",\"event\":\"deliver\",\"message\":\"R0-0\"";
    let itself = deliver.replacen("R1", "R0", 1);
    assert!(read(deliver, &itself).unwrap_err().contains("is not on its way to R0"));
    let twin = "\"replica\":\"R1\",\"event\":\"duplicate\",\"message\":\"R0-0\",\"copy\":\"R0-0/4294967295\"";
    assert!(read(deliver, twin).unwrap_err().contains("is no name for a twin"));
    let number = "\"number\":1";
    assert!(read(number, "\"number\":18446744073709551615").unwrap_err().contains("is no number"));
    assert!(read("\"t_us\":0", "\"t_us\":18446744073709551615").unwrap_err().contains("clock"));
    assert!(read("\"resend_us\":300000", "\"resend_us\":0").unwrap_err().contains("come to rest"));
}
