//! What a log reads as, and what is said of one that does not read.

use proptest::prelude::*;

use super::*;

/// A log of one entry with these fields.
fn entry(instance: &str, deps: &str, command: &str) -> String {
    format!(r#"{{"instance":"{instance}","seq":1,"deps":{deps},"command":{command}}}"#)
}

fn log(entries: &[String]) -> String {
    format!("[{}]", entries.join(","))
}

fn complaint(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn a_log_is_ordered_and_printed() {
    let log = parse(
        r#"[
        {"instance": "R0.0", "seq": 2, "deps": [-1, 0], "command": {"put": ["x", "a b"]}},
        {"instance": "R1.0", "seq": 1, "deps": [0, -1], "command": [{"get": "x"}, {"del": ["y"]}]},
        {"instance": "R0.1", "seq": 0, "deps": [0, 0], "command": {"get": ["x"]}},
        {"instance": "R0.2", "seq": 3, "deps": [1, 1], "command": "noop"},
        {"instance": "R1.2", "seq": 4, "deps": [-1, 1], "command": "no-op"}
    ]"#,
    )
    .unwrap();
    let order = order(&log);
    assert_eq!(to_json(&order), r#"[["R1.0","R0.0"],["R0.1"]]"#);
    let text = "R1.0 seq=1 deps={R0.0} get x; del y\n\
                R0.0 seq=2 deps={R1.0} put x \"a b\"\n\
                \n\
                R0.1 seq=0 deps={R0.0 R1.0} get x\n";
    assert_eq!(to_text(&log, &order), text);
    let blocked = "R0.2 waits for R1.1, which is not committed\n\
                   R1.2 waits for R1.1, which is not committed\n";
    assert_eq!(blocked_text(&order), blocked);
}

#[test]
fn an_empty_log_is_a_log() {
    let order = order(&parse("[]").unwrap());
    assert_eq!((to_text(&[], &order), to_json(&order)), (String::new(), "[]".to_owned()));
    assert_eq!(blocked_text(&order), "");
}

#[test]
fn an_instance_given_twice_by_hand_counts_once() {
    let log = parse(&log(&[entry("R0.0", "[-1]", r#""noop""#)])).unwrap();
    let twice = [log[0].clone(), log[0].clone()];
    assert_eq!(order(&twice), order(&log));
}

#[test]
fn what_is_no_log_is_refused_in_words() {
    assert!(complaint("").starts_with("the log is not a JSON array: EOF"));
    assert!(complaint("[{]").starts_with("the log is not a JSON array: key"));
    assert_eq!(complaint("{}"), "the log is an object, it must be an array of committed instances");
    assert_eq!(complaint("[7]"), "entry 0: it is a number, it must be an object");
    assert_eq!(complaint("[[7]]"), "entry 0: it is an array, it must be an object");
}

#[test]
fn a_bad_entry_is_named_with_its_mistake() {
    let put = r#"{"put":["x","1"]}"#;
    let good = entry("R0.0", "[-1,-1]", put);
    let cases = [
        (entry("R1-1", "[0,0]", put), r#"entry 1 (R1-1): "R1-1" is not an instance, such as R0.1"#),
        (
            entry("R2.0", "[0,0]", put),
            "entry 1 (R2.0): its replica does not exist, since deps has 2 entries",
        ),
        (good.clone(), "entry 1 (R0.0): the instance appears twice, first in entry 0"),
        (
            entry("R1.0", "[]", put),
            "entry 1 (R1.0): deps has 0 entries, it must have one for each replica, 1 to 9",
        ),
        (
            entry("R1.0", "[0,0,0,0,0,0,0,0,0,0]", put),
            "entry 1 (R1.0): deps has 10 entries, it must have one for each replica, 1 to 9",
        ),
        (entry("R1.0", "[0]", put), "entry 1 (R1.0): deps has 1 entries, but entry 0 has 2"),
        (
            entry("R1.0", "[0,-2]", put),
            "entry 1 (R1.0): deps contains -2, it must contain slots, or -1 for none",
        ),
        (
            entry("R1.0", "[0,9223372036854775807]", put),
            "entry 1 (R1.0): deps contains 9223372036854775807, it must contain slots, or -1 for none",
        ),
        (
            entry("R1.0", "[0,0]", "[]"),
            r#"entry 1 (R1.0): the batch is empty, write "noop" for a no-op"#,
        ),
        (
            good.replace("R0.0", "R1.0").replace("seq", "sequence"),
            "entry 1 (R1.0): unknown field `sequence`, expected one of `instance`, `seq`, `deps`, \
             `command`",
        ),
        (
            r#"{"instance":"R1.0","seq":1,"deps":[0,0]}"#.to_owned(),
            "entry 1 (R1.0): missing field `command`",
        ),
        (
            good.replace("R0.0", "R1.0").replace(":1,", ":-1,"),
            "entry 1 (R1.0): invalid value: integer `-1`, expected u64",
        ),
    ];
    for (bad, sentence) in cases {
        assert_eq!(complaint(&log(&[good.clone(), bad])), sentence);
    }
}

#[test]
fn a_bad_command_is_told_what_would_be_right() {
    let sentence = r#"entry 0 (R0.0): the command must be {"put":[KEY,VALUE]}, {"get":KEY}, {"del":KEY}, an array of these, or "noop""#;
    let commands = [
        "null",
        "7",
        r#""nop""#,
        "{}",
        r#"{"put":["x"]}"#,
        r#"{"put":["x","1"],"get":"x"}"#,
        r#"{"get":["x","y"]}"#,
        r#"{"take":"x"}"#,
        r#"[{"get":"x"},"noop"]"#,
    ];
    for command in commands {
        assert_eq!(complaint(&log(&[entry("R0.0", "[-1]", command)])), sentence, "{command}");
    }
}

#[test]
fn a_field_given_twice_is_refused() {
    let twice = entry("R0.0", "[-1]", r#""noop","seq":2"#);
    assert!(complaint(&log(&[twice])).contains("duplicate field `seq`"));
}

/// Text that looks like a log, more or less.
fn almost_a_log() -> impl Strategy<Value = String> {
    let instance = prop_oneof!["R[0-2]\\.[0-2]", "R9\\.0", "R0\\.18446744073709551615", ".*"];
    let slot = prop_oneof![-1..3_i64, Just(i64::MAX), Just(i64::MAX - 1), any::<i64>()];
    let deps =
        proptest::collection::vec(prop_oneof![9 => (-1..3_i64).boxed(), 1 => slot.boxed()], 3);
    let command = prop_oneof![
        4 => Just(r#"{"put":["x","1"]}"#),
        2 => Just(r#"[{"get":"x"},{"del":["y"]}]"#),
        2 => Just(r#""noop""#),
        1 => Just("[]"),
        1 => Just("{"),
    ];
    let entry = (instance, deps, command)
        .prop_map(|(instance, deps, command)| entry(&instance, &format!("{deps:?}"), command));
    proptest::collection::vec(entry, 0..5).prop_map(|entries| log(&entries))
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![any::<String>(), almost_a_log()]) {
        if let Ok(log) = parse(&text) {
            let order = order(&log);
            let executed: usize = order.components.iter().map(Vec::len).sum();
            prop_assert_eq!(executed + order.blocked.len(), log.len());
            to_text(&log, &order);
            to_json(&order);
            blocked_text(&order);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in any::<Vec<u8>>()) {
        let _ = parse(&String::from_utf8_lossy(&bytes)).map(|log| order(&log));
    }
}
