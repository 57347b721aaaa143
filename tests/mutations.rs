//! The protocol, broken in each of the ways that [`Mutation`] lists, is caught.
//!
//! For each there is the first seed at which random runs of five replicas catch it, and the property
//! that they find broken (`docs/testing.md` has the table for other sizes). Where the runs are drawn
//! differently one day, `cargo run --release --features mutations -- sim --replicas 5 --mutation NAME`
//! finds the seed anew.

mod scenario;

use epaxos_tui::epaxos::mutation::Mutation;
use epaxos_tui::observe::notice::Shape;
use epaxos_tui::sim::cluster::Cluster;
use epaxos_tui::tools::simulate::Search;

use crate::scenario::Scenario;

/// The mutation, the first seed that catches it, and the property that is broken.
const CAUGHT: [(Mutation, u64, &str); Mutation::ALL.len()] = [
    (Mutation::SingleBallot, 110, "choice"),
    (Mutation::SkipValidate, 5, "visibility"),
    (Mutation::HoldersThreshold, 27, "choice"),
    (Mutation::EqualToEachOther, 169, "choice"),
    (Mutation::SeqNotCompared, 18122, "choice"),
    (Mutation::ValidateAfterVote, 19185, "choice"),
    (Mutation::PreAcceptAfterJoin, 0, "ballots"),
    (Mutation::NoPromise, 0, "durability"),
    (Mutation::SharedBallots, 0, "ballots"),
    (Mutation::DropR3, 1644, "liveness"),
    (Mutation::DropV3, 1957, "liveness"),
    (Mutation::LatestOnly, 18, "closure"),
    (Mutation::OwnFirst, 3, "order"),
    (Mutation::ForgetPromises, 0, "ballots"),
    (Mutation::ForgetPreAccepts, 1255, "visibility"),
    (Mutation::AnswerNoops, 0, "answers"),
    (Mutation::LetGoEarly, 35, "letting-go"),
];

#[test]
fn every_mutation_is_caught() {
    for (mutation, seed, property) in CAUGHT {
        let sound = Search::new(seed..seed + 1, Some(5));
        assert!(sound.run(|_| {}).failure.is_none(), "seed {seed} goes wrong without {mutation}");

        let broken = Search { mutation: Some(mutation), ..sound };
        let failure = broken.run(|_| {}).failure;
        let failure = failure.unwrap_or_else(|| panic!("{mutation} is not caught at seed {seed}"));
        assert_eq!(failure.finding.property, property, "{mutation}: {}", failure.finding.sentence);
    }
}

/// The scenario of the mistake of 2013: with one ballot for promise and vote, a choice is lost in it.
#[test]
#[should_panic(
    expected = "choice: R3 proposes put x 2 seq=2 deps={R4.0} in b2.R3 of R0.0, after no-op"
)]
fn one_ballot_loses_a_choice() {
    let make = |mut shape: Shape| {
        shape.options.mutation = Some(Mutation::SingleBallot);
        Ok(Cluster::new(shape))
    };
    let mut scenario = Scenario::new(make, scenario::check);
    let script = include_str!("scenarios/recovery/two_ballots_not_one");
    goldenscript::generate(&mut scenario, script).expect("it is not played to its end");
}

#[test]
fn the_table_has_every_mutation() {
    assert!(Mutation::ALL.into_iter().eq(CAUGHT.map(|(mutation, ..)| mutation)));
}

#[test]
fn mutations_are_called_what_they_are_called() {
    for mutation in Mutation::ALL {
        assert_eq!(mutation.name().parse(), Ok(mutation));
    }
    let error = "no-such".parse::<Mutation>().unwrap_err();
    assert!(error.starts_with("there is no mutation no-such; there are single-ballot,"), "{error}");
}
