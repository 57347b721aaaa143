use super::*;

fn hello(replica: u8, endpoints: &[&str], incarnation: u128) -> Hello {
    let endpoints = endpoints.iter().map(|endpoint| (*endpoint).to_owned()).collect();
    Hello { replica: ReplicaId(replica), endpoints, incarnation: Incarnation(incarnation) }
}

const THREE: &[&str] = &["a:1", "b:2", "[::1]:3"];

fn written(hello: &Hello) -> MetadataMap {
    let mut metadata = MetadataMap::new();
    hello.write(&mut metadata);
    metadata
}

#[test]
fn what_is_written_is_read() {
    for hello in [hello(2, THREE, 0), hello(0, &["a:1"; 9], u128::MAX)] {
        let metadata = written(&hello);
        assert_eq!(Hello::parse(&metadata), Ok(hello));
        assert!(!is_absent(&metadata));
    }
    assert!(is_absent(&MetadataMap::new()));
}

#[test]
fn garbled_metadata_is_refused_in_words() {
    let read = |key: &'static str, value: Option<&[u8]>| {
        let mut metadata = written(&hello(2, THREE, 7));
        metadata.remove(key);
        if let Some(value) = value {
            metadata.insert(key, value.try_into().expect("bytes that a header can have"));
        }
        Hello::parse(&metadata).unwrap_err().to_string()
    };
    for key in [REPLICA, REPLICAS, ENDPOINTS, INCARNATION] {
        let sentence = read(key, None);
        assert!(sentence.starts_with(&format!("the metadata has no {key}; ")), "{sentence}");
    }
    let long = "a".repeat(ENDPOINTS_MAX + 1);
    for (key, value, sentence) in [
        (REPLICA, "R9".as_bytes(), "epaxos-replica is \"R9\", not a replica such as R2"),
        (REPLICA, b"", "epaxos-replica is \"\", not a replica such as R2"),
        (REPLICA, b"\xff", "epaxos-replica is \"\u{fffd}\", not a replica such as R2"),
        (REPLICA, b"R3", "epaxos-replica is R3, and epaxos-replicas is 3"),
        (REPLICAS, b"-3", "epaxos-replicas is \"-3\", not a number"),
        (REPLICAS, b"5", "epaxos-endpoints lists 3 endpoints, and epaxos-replicas is 5"),
        (ENDPOINTS, b"a:1", "epaxos-endpoints lists 1 endpoints, and epaxos-replicas is 3"),
        (ENDPOINTS, long.as_bytes(), "epaxos-endpoints has 4097 bytes, more than 4096"),
        (INCARNATION, b"7", "epaxos-incarnation is \"7\", not 32 hexadecimal digits"),
        (
            INCARNATION,
            b"+0000000000000000000000000000007",
            "epaxos-incarnation is \"+0000000000000000000000000000007\", not 32 hexadecimal digits",
        ),
    ] {
        assert_eq!(read(key, Some(value)), sentence);
    }
    let sentence = read(INCARNATION, Some("x".repeat(1000).as_bytes()));
    assert!(sentence.len() < 200, "{sentence}");
    let mut twice = written(&hello(2, THREE, 7));
    twice.append(REPLICA, "R1".parse().unwrap());
    assert_eq!(Hello::parse(&twice), Err(Garbled::Twice(REPLICA)));
    let mut garbled = MetadataMap::new();
    assert_eq!(known_as(&garbled), Ok(None));
    garbled.insert(KNOWN_AS, "x".parse().unwrap());
    assert!(known_as(&garbled).is_err());
}

#[test]
fn differences_are_named() {
    let us = hello(0, THREE, 1);
    let five = hello(4, &["a:1", "b:2", "c:3", "d:4", "e:5"], 1);
    let same = "start all replicas with the same configuration";
    for (them, sentence) in [
        (
            five.clone(),
            format!("the configuration of R4 lists 5 replicas, and that of R0 lists 3; {same}"),
        ),
        (
            hello(1, &["a:1", "b:9", "c:9"], 1),
            format!("the configuration of R1 has R1 at b:9, and that of R0 has it at b:2; {same}"),
        ),
        (
            hello(0, THREE, 2),
            "two processes run as R0; stop one, or give it another --id".to_owned(),
        ),
    ] {
        assert_eq!(us.check(&them, None).unwrap_err().to_string(), sentence);
    }
    assert_eq!(five.check(&us, None).unwrap_err().kind(), "configuration");
}

#[test]
fn the_incarnation_that_was_met_is_let_in_and_no_other() {
    let (us, them) = (hello(0, THREE, 1), hello(2, THREE, 7));
    let met =
        |incarnation, connected| Some(Met { incarnation: Incarnation(incarnation), connected });
    assert_eq!(us.check(&them, None), Ok(()));
    assert_eq!(us.check(&them, met(7, false)), Ok(()));
    assert_eq!(us.check(&them, met(7, true)), Ok(()));
    assert_eq!(us.check(&them, met(8, false)), Err(Refusal::Restarted(ReplicaId(2))));
    assert_eq!(us.check(&them, met(8, true)), Err(Refusal::Second(ReplicaId(2))));
    assert_eq!(
        Refusal::Restarted(ReplicaId(2)).to_string(),
        "R2 came back without its data; it could contradict its own votes. Restart the whole \
         cluster."
    );
}

#[test]
fn numbers_of_requests_begin_where_the_incarnation_says() {
    assert_eq!(Incarnation(u128::MAX).first_number(), (1 << 56) - 1);
    assert_eq!(Incarnation(u128::MAX >> 56).first_number(), 0);
    assert_ne!(Incarnation(1 << 127).first_number(), Incarnation(1 << 126).first_number());
}
