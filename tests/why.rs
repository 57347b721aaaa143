//! Why: whatever is asked of whatever has happened, there is an answer, it points to what is there, and it
//! is not at a loss while the log keeps everything.

use std::collections::BTreeSet;

use epaxos_tui::epaxos::id::{InstanceId, MessageId, ReplicaId};
use epaxos_tui::explain::answer::{Answer, Link};
use epaxos_tui::explain::explain;
use epaxos_tui::explain::question::{About, Question};
use epaxos_tui::observe::notice::{Decision, Effect, Shape};
use epaxos_tui::observe::view::View;
use epaxos_tui::script::file::Script;
use epaxos_tui::script::grammar::Command;
use epaxos_tui::script::session::Session;
use epaxos_tui::script::world::World;
use epaxos_tui::sim::cluster::Cluster;
use epaxos_tui::sim::plan::Plan;
use epaxos_tui::sim::simulation;

/// The commands of a random run, and the cluster that they are for.
fn run(seed: u64, replicas: usize) -> (Shape, Vec<Command>) {
    let plan = Plan::draw(seed, Some(replicas));
    let acts = simulation::draw(&plan).acts;
    let script = simulation::play(&plan, &acts, true).script.expect("it was asked for");
    let commands = Script::parse(&script.to_string()).expect("it is a script").commands;
    (plan.shape, commands.into_iter().map(|(_, command)| command).collect())
}

/// Plays a random run, and looks at what can be seen every now and then and in the end.
fn watch(seed: u64, replicas: usize, mut look: impl FnMut(&View)) {
    let (shape, commands) = run(seed, replicas);
    let mut cluster = Cluster::new(shape);
    let mut session = Session::default();
    for (index, command) in commands.iter().enumerate() {
        session.perform(&mut cluster, command).expect("what was done can be done again");
        if index % 200 == 199 {
            look(cluster.view());
        }
    }
    look(cluster.view());
}

fn instances(view: &View) -> BTreeSet<InstanceId> {
    let histories = view.replicas.iter().flat_map(|replica| replica.history.iter());
    histories.map(|(id, _)| id).collect()
}

fn messages(view: &View) -> BTreeSet<MessageId> {
    let effects = view.log.iter().flat_map(|entry| &entry.step.effects);
    let sent = effects.filter_map(|effect| match effect {
        Effect::Send(envelope) => Some(envelope.id),
        _ => None,
    });
    let copies = view.log.iter().filter_map(|entry| match &entry.step.decision {
        Decision::Duplicate(_, copy) => Some(*copy),
        _ => None,
    });
    sent.chain(copies).collect()
}

/// All that can be asked, and not only what makes sense.
fn questions(view: &View) -> Vec<Question> {
    let eyes: Vec<_> = ReplicaId::all(view.shape.replicas()).map(Some).chain([None]).collect();
    let ids = instances(view);
    let mut questions = Vec::new();
    for id in &ids {
        let mut abouts = vec![
            About::Instance(*id),
            About::Path(*id),
            About::Seq(*id),
            About::Executed(*id),
            About::Ballot(*id),
            About::Noop(*id),
        ];
        abouts.extend(ids.iter().map(|other| About::Dependency(*id, *other)));
        abouts.extend(ids.iter().map(|other| About::Before(*id, *other)));
        for at in &eyes {
            questions.extend(abouts.iter().map(|about| Question { about: *about, at: *at }));
            questions.extend(Question::all(view, *id, *at));
        }
    }
    questions.extend(messages(view).into_iter().map(About::Message).map(Question::new));
    questions.extend((0..=view.log.len()).map(About::Entry).map(Question::new));
    questions
}

/// What must be true of every answer.
fn check(view: &View, question: &Question, answer: &Answer) {
    assert!(answer.question.ends_with('?'), "{question}: {answer:?}");
    assert!(!answer.clauses.is_empty(), "{question}: {answer:?}");
    for clause in &answer.clauses {
        assert!(clause.text.ends_with('.'), "{question}: {clause:?}");
        assert!(!clause.text.contains(char::is_control), "{question}: {clause:?}");
        assert!(
            clause.text.chars().next().is_some_and(char::is_uppercase),
            "{question}: {clause:?}"
        );
        let there = match clause.link {
            None => true,
            Some(Link::Entry(id)) => view.log.get(id).is_some(),
            Some(Link::Message(id)) => view.in_flight.get(id).is_some(),
            Some(Link::Replica(id)) => id.index() < view.shape.replicas(),
            Some(Link::Instance(id, _)) => {
                // What is waited for may be known by its name alone.
                id.replica.index() < view.shape.replicas()
            }
        };
        assert!(there, "{question}: {clause:?}");
    }
    let Some(at) = question.at else { return };
    let known = |id| view.replica(at).instances.get(id);
    match question.about {
        About::Seq(id) => {
            let seq = known(id).map(|known| format!(" have seq={} at {at}?", known.attributes.seq));
            assert!(
                seq.is_none_or(|seq| answer.question.ends_with(&seq)),
                "{question}: {answer:?}"
            );
        }
        About::Dependency(id, on) => {
            let depends = known(id).map(|known| known.attributes.deps.contains(on));
            let denied = answer.question.contains(" not depend on ");
            assert!(depends.is_none_or(|depends| denied != depends), "{question}: {answer:?}");
        }
        _ => {}
    }
}

#[test]
fn every_question_has_an_answer_while_the_log_keeps_all() {
    for (seed, replicas) in (0..SEEDS).flat_map(|seed| [3, 5, 7].map(|n| (seed, n))) {
        watch(seed, replicas, |view| {
            assert_eq!(view.log.forgotten(), 0);
            for question in questions(view) {
                let answer = explain(view, &question);
                check(view, &question, &answer);
                let text = answer.paragraph();
                let lost =
                    ["let go", "does not show", "too long ago", "has not been said", "is long"];
                let lost = lost.iter().find(|lost| text.contains(*lost));
                assert!(lost.is_none(), "seed {seed}, {replicas} replicas, {question}: {text}");
            }
        });
    }
}

#[test]
fn every_question_has_an_answer_when_the_log_has_let_go_of_most() {
    for seed in 0..SEEDS {
        let (shape, commands) = run(seed, 5);
        let mut view = View::with_capacity(shape.clone(), 12, 100);
        let mut cluster = Cluster::new(shape);
        cluster.listen();
        let mut session = Session::default();
        for command in &commands {
            session.perform(&mut cluster, command).expect("what was done can be done again");
            cluster.take_notices().into_iter().for_each(|notice| drop(view.apply(notice)));
        }
        for question in questions(&view) {
            check(&view, &question, &explain(&view, &question));
        }
    }
}

/// What suggests itself when nothing has happened, or nobody knows what is asked about.
#[test]
fn what_nobody_has_heard_of_is_answered() {
    let view = View::new(Shape::new(3));
    for about in [
        About::Instance(InstanceId::new(ReplicaId(0), 0)),
        About::Path(InstanceId::new(ReplicaId(8), 0)),
        About::Before(InstanceId::new(ReplicaId(0), 0), InstanceId::new(ReplicaId(8), 1)),
        About::Message(MessageId { sender: ReplicaId(1), number: 0, copy: 0 }),
        About::Message(MessageId { sender: ReplicaId(7), number: 0, copy: 0 }),
        About::Entry(0),
        About::Entry(u64::MAX),
    ] {
        for at in [None, Some(ReplicaId(2)), Some(ReplicaId(5))] {
            let question = Question { about, at };
            check(&view, &Question::new(about), &explain(&view, &question));
        }
    }
}

#[test]
fn questions_read_back_as_written() {
    watch(0, 5, |view| {
        for question in questions(view) {
            // What happened to a message or in an entry looks the same to everybody.
            let Ok(Some(Command::Why(asked))) = Command::parse(&format!("why {question}")) else {
                panic!("{question} is no question");
            };
            assert_eq!(asked.question(), Ok(question));
        }
    });
}

const SEEDS: u64 = 12;
