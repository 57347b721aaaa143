use super::*;
use crate::net::handshake::Incarnation;

/// The handshakes of a replica of five, and what was told.
fn replica(replica: u8, incarnation: u128) -> (Admission, Arc<Mutex<Vec<String>>>) {
    let endpoints = ["a:1", "b:2", "c:3", "d:4", "e:5"].map(str::to_owned).into();
    let me =
        Hello { replica: ReplicaId(replica), endpoints, incarnation: Incarnation(incarnation) };
    let told = Arc::new(Mutex::new(Vec::new()));
    let telling = told.clone();
    let tell = Tell::new(move |sentence| telling.lock().unwrap().push(sentence.to_owned()));
    (Admission::new(me, tell), told)
}

/// One replica calls another. Returns the stream, where both let it be.
async fn call(from: &Admission, to: &Admission) -> Option<Admitted> {
    let metadata = from.introduce(to.me().replica).await;
    match to.admit(&metadata).await {
        Ok(admitted) => {
            let checked = from.check_answer(to.me().replica, &admitted.answer);
            checked.is_ok().then_some(admitted)
        }
        Err(status) => {
            from.ended(to.me().replica, &status);
            None
        }
    }
}

const AMNESIA: &str = "R2 came back without its data; it could contradict its own votes. Restart the \
                       whole cluster.";

fn is_member(replica: &Admission) -> bool {
    *replica.standing().borrow() == Standing::Member
}

#[tokio::test]
async fn a_restarted_replica_is_refused_and_both_sides_tell_it_once() {
    let ((zero, told_zero), (two, _)) = (replica(0, 1), replica(2, 1));
    drop(call(&two, &zero).await.expect("they have not met"));
    let (again, told) = replica(2, 2);
    for _ in 0..3 {
        assert!(call(&again, &zero).await.is_none());
        assert!(call(&zero, &again).await.is_none());
    }
    let sentence = format!("R0 refuses R2: {AMNESIA}");
    assert_eq!(*told.lock().unwrap(), std::slice::from_ref(&sentence));
    assert_eq!(*told_zero.lock().unwrap(), [sentence]);
    assert_eq!(again.refusal().as_deref(), Some(AMNESIA));
    assert!(is_member(&zero) && zero.refusal().is_none());
    // The one that it was before is let in still.
    assert!(call(&two, &zero).await.is_some());
}

/// Only the callee's side can know, or only the caller's.
#[tokio::test]
async fn who_was_met_is_known_whichever_side_called() {
    for calls in [true, false] {
        let ((zero, _), (two, _), (again, _)) = (replica(0, 1), replica(2, 1), replica(2, 2));
        let met = if calls { call(&zero, &two).await } else { call(&two, &zero).await };
        drop(met.expect("they have not met"));
        assert!(call(&zero, &again).await.is_none());
        assert!(is_member(&again), "it is told when it calls itself");
        assert!(call(&again, &zero).await.is_none());
        assert_eq!(again.refusal().as_deref(), Some(AMNESIA));
    }
}

#[tokio::test]
async fn a_second_process_is_told_from_one_that_came_back() {
    let ((zero, told), (two, _), (second, _)) = (replica(0, 1), replica(2, 1), replica(2, 2));
    let open = call(&two, &zero).await.expect("they have not met");
    assert!(call(&second, &zero).await.is_none());
    let sentence = "another process runs as R2 already; stop one, or give it another --id";
    assert_eq!(second.refusal().as_deref(), Some(sentence));
    assert_eq!(*told.lock().unwrap(), [format!("R0 refuses R2: {sentence}")]);
    drop(open);
    assert!(call(&second, &zero).await.is_none());
    assert_eq!(second.refusal().as_deref(), Some(AMNESIA));
}

#[tokio::test]
async fn a_whole_cluster_that_is_restarted_heals_though_one_is_late_to_end() {
    let ((zero, _), (one, _)) = (replica(0, 1), replica(1, 1));
    drop((call(&zero, &one).await, call(&one, &zero).await));
    let (zero, _) = replica(0, 2);
    // The old R1 is still up. It refuses the new R0, which does not take it for the R1 to come.
    assert!(call(&one, &zero).await.is_none());
    assert!(call(&zero, &one).await.is_none());
    assert!(!is_member(&zero));
    let (one, _) = replica(1, 2);
    assert!(call(&one, &zero).await.is_some());
    assert!(!is_member(&zero), "R1 has accepted R0 when it has answered it");
    assert!(call(&zero, &one).await.is_some());
    assert!(is_member(&zero) && is_member(&one));
}

#[tokio::test]
async fn one_with_another_configuration_stops_nobody_else() {
    let (zero, told) = replica(0, 1);
    let endpoints = ["a:1", "b:2", "x:3"].map(str::to_owned).into();
    let me = Hello { replica: ReplicaId(2), endpoints, incarnation: Incarnation(1) };
    let other = Admission::new(me, Tell::new(|_| {}));
    for _ in 0..3 {
        assert!(call(&zero, &other).await.is_none());
        assert!(call(&other, &zero).await.is_none());
    }
    assert!(!is_member(&zero) && !is_member(&other), "neither can know which of them is wrong");
    for peer in 3..5 {
        let (peer, _) = replica(peer, 1);
        assert!(call(&zero, &peer).await.is_some());
    }
    assert!(is_member(&zero), "three of five agree");
    assert_eq!(told.lock().unwrap().len(), 2, "one sentence each way: {told:?}");
}

#[tokio::test]
async fn who_answers_must_be_the_one_that_was_dialled() {
    let ((zero, _), (two, _)) = (replica(0, 1), replica(2, 1));
    let answer = two.introduce(ReplicaId(0)).await;
    let error = zero.check_answer(ReplicaId(1), &answer).unwrap_err();
    assert_eq!(error, "R2 answers where R1 should; check the endpoints");
    let error = zero.check_answer(ReplicaId(1), &MetadataMap::new()).unwrap_err();
    assert!(error.starts_with("the metadata has no epaxos-replica"), "{error}");
}

/// The peers of a replica of so many, of which some refuse it, each with its N and for so long. The
/// others accept it.
fn peers(count: usize, refusing: &[(usize, u64)], incarnation: bool) -> Vec<Peer> {
    let first = Instant::now();
    let mut peers = vec![Peer::default(); REPLICAS_MAX];
    peers[refusing.len()..count - 1].iter_mut().for_each(|peer| peer.accepted = true);
    for (peer, (replicas, seconds)) in peers.iter_mut().zip(refusing) {
        let last = first + Duration::from_secs(*seconds);
        let (sentence, replicas) = ("no".into(), *replicas);
        peer.refused = Some(Refused { sentence, incarnation, replicas, first, last });
    }
    peers
}

#[test]
fn a_majority_that_keeps_refusing_is_final() {
    let (refused, out) = (Standing::Refused("no".into()), Standing::Out("no".into()));
    for (replicas, refusing, of_incarnation, of_configuration) in [
        (5, &[][..], Standing::Member, Standing::Member),
        (5, &[(5, 9), (5, 9)], refused.clone(), Standing::Member),
        (5, &[(5, 9), (5, 9), (5, 0)], refused.clone(), refused.clone()),
        (5, &[(5, 9), (5, 9), (5, 2)], out.clone(), out.clone()),
        (3, &[(3, 9)], refused.clone(), Standing::Member),
        (3, &[(3, 9), (3, 9)], out.clone(), out.clone()),
        // A replica of five at three: two are a majority of theirs.
        (5, &[(3, 9), (3, 9)], out.clone(), out.clone()),
        // One of three at five: two are a majority of its own, and the five can decide.
        (3, &[(5, 9), (5, 9)], out.clone(), out.clone()),
    ] {
        assert_eq!(
            judge(&peers(replicas, refusing, true), replicas),
            of_incarnation,
            "{refusing:?}"
        );
        assert_eq!(
            judge(&peers(replicas, refusing, false), replicas),
            of_configuration,
            "{refusing:?}"
        );
    }
}
