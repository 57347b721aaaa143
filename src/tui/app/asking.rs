//! Asking why: which question, which clause of its answer, and following what it points to.

use crate::epaxos::id::{InstanceId, MessageId, ReplicaId};
use crate::explain::answer::{Answer, Link};
use crate::explain::explain;
use crate::explain::question::{About, Question};
use crate::observe::log::EntryId;
use crate::tui::app::{App, Chosen, Mode, Over, Tone};
use crate::tui::deed::{Move, Screen};
use crate::tui::layout::Pane;

/// The place among questions and clauses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asking {
    /// What was asked in so many words, before all that suggests itself.
    own: Option<Question>,
    /// Which of the questions.
    question: usize,
    /// Which clause of the answer.
    pub clause: usize,
    /// What is selected: other questions suggest themselves for something else.
    subject: Option<Subject>,
}

/// Where somebody stood who followed a link.
#[derive(Clone, Copy, Debug)]
pub struct Stand {
    screen: Screen,
    pane: Pane,
    selected: Option<InstanceId>,
    event: Chosen,
}

/// What questions suggest themselves for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Subject {
    instance: Option<InstanceId>,
    observer: Option<ReplicaId>,
    message: Option<MessageId>,
    entry: Option<EntryId>,
}

impl App {
    fn subject(&self) -> Subject {
        let diagram = self.screen == Screen::SpaceTime;
        let flight = self.space_time.flight(&self.view).filter(|_| diagram);
        let entry = self.space_time.entry(&self.view).filter(|_| diagram);
        let message = entry.and_then(|entry| entry.step.decision.message());
        Subject {
            instance: self.selected,
            observer: self.observer,
            message: flight.map(|flight| flight.envelope.id).or(message.map(|own| own.id)),
            entry: entry.map(|entry| entry.id),
        }
    }

    /// Takes note of another selection.
    pub(super) fn settle_asking(&mut self) {
        let subject = Some(self.subject());
        if self.asking.subject != subject {
            self.asking = Asking { subject, ..Asking::default() };
        }
        let questions = self.questions().len();
        self.asking.question = self.asking.question.min(questions.saturating_sub(1));
    }

    /// The questions that have an answer now, what was asked first.
    pub fn questions(&self) -> Vec<Question> {
        let subject = self.subject();
        let message = subject.message.map(About::Message);
        let entry = subject.entry.map(About::Entry);
        let about = |about| Question { about, at: None };
        // On the way, a message is most worth asking about; having arrived, what it came to.
        let first = [entry, message].into_iter().flatten().map(about);
        let instance = subject.instance.into_iter();
        let instance = instance.flat_map(|id| Question::all(&self.view, id, subject.observer));
        let mut questions: Vec<Question> = Vec::new();
        for question in self.asking.own.into_iter().chain(first).chain(instance) {
            if !questions.contains(&question) {
                questions.push(question);
            }
        }
        questions
    }

    /// The question that is asked, its number and how many there are, and its answer.
    pub fn answer(&self) -> Option<(usize, usize, Answer)> {
        let questions = self.questions();
        let question = questions.get(self.asking.question)?;
        Some((self.asking.question, questions.len(), explain(&self.view, question)))
    }

    /// Shows the answer: where the screen has a place for it there, otherwise over everything.
    pub(super) fn ask_why(&mut self) {
        if self.layout().order.contains(&Pane::Why) {
            self.focus_on(Pane::Why);
        } else if self.questions().is_empty() {
            self.say("select something to ask about", Tone::Plain);
        } else {
            self.over = Some(Over::Why);
        }
    }

    /// Asks in so many words.
    pub(super) fn ask(&mut self, question: Question) {
        self.settle_asking();
        self.asking.own = Some(question);
        self.asking.question = 0;
        self.asking.clause = 0;
        self.over = Some(Over::Why);
    }

    /// Moves among clauses, or to another question.
    pub(super) fn go_in_answer(&mut self, to: Move) {
        let Some((question, questions, answer)) = self.answer() else { return };
        let last = answer.clauses.len().saturating_sub(1);
        match to {
            Move::Left | Move::Right => {
                let by = to.by(1);
                self.asking.question =
                    question.saturating_add_signed(by).min(questions.saturating_sub(1));
                self.asking.clause = 0;
            }
            _ => {
                let clause = self.asking.clause.min(last);
                self.asking.clause = clause.saturating_add_signed(to.by(last.max(1))).min(last);
            }
        }
    }

    /// Where one stands.
    fn place(&self) -> Stand {
        Stand {
            screen: self.screen,
            pane: self.pane(),
            selected: self.selected,
            event: self.space_time.chosen(),
        }
    }

    /// Goes back to where a link was followed from; says whether there was one.
    pub(super) fn go_back(&mut self) -> bool {
        let Some(stand) = self.trail.pop() else { return false };
        self.screen = stand.screen;
        self.focus_on(stand.pane);
        self.space_time.choose_again(stand.event);
        if let Some(selected) = stand.selected {
            self.select(selected);
        }
        true
    }

    /// Goes to what the selected clause points to.
    pub(super) fn follow_link(&mut self) {
        let Some((.., answer)) = self.answer() else { return };
        let clause =
            answer.clauses.get(self.asking.clause.min(answer.clauses.len().saturating_sub(1)));
        let Some(link) = clause.and_then(|clause| clause.link) else {
            return self.say("this part of the answer points to nothing", Tone::Plain);
        };
        self.over = None;
        // Whoever goes there wants to look around.
        self.mode = Mode::Normal;
        self.trail.push(self.place());
        match link {
            Link::Entry(entry) => {
                self.screen = Screen::SpaceTime;
                self.focus_on(Pane::SpaceTime);
                self.space_time.select_entry(entry);
                self.note_event();
            }
            // With whose eyes is not changed: that would hide what others know.
            Link::Instance(id, _) => {
                self.select(id);
                if self.screen == Screen::SpaceTime {
                    self.screen = Screen::Graph;
                }
            }
            Link::Message(id) => {
                self.screen = Screen::SpaceTime;
                self.focus_on(Pane::SpaceTime);
                self.space_time.select_flight(id);
                self.note_event();
            }
            Link::Replica(replica) => {
                self.screen = Screen::Cockpit;
                self.focus_on(Pane::Replicas);
                self.replica.selected = replica.index();
            }
        }
    }
}
