//! Taking a lesson: which one, how far, and what was answered. The run of a lesson is a branch like any
//! other, so all screens show it, and whoever tries something of their own branches off from it.

use std::collections::BTreeMap;

use crate::lesson::play::Scene;
use crate::lesson::{Lesson, LessonError, Question, Step};
use crate::multiverse::tree::{BranchId, Multiverse};
use crate::observe::notice::{GateState, Shape};
use crate::observe::view::View;
use crate::tui::app::{App, Mode, Tone};
use crate::tui::deed::{Deed, Move, Screen};
use crate::tui::layout::Pane;
use crate::tui::list::Place;
use crate::tui::panel;

/// The lessons that there are, and the one that is taken.
#[derive(Clone, Debug)]
pub struct Learning {
    /// The lessons to choose from.
    pub shelf: Vec<Shelved>,
    /// The place among them.
    pub place: Place,
    /// Whether they are listed.
    pub listing: bool,
    /// The lesson that is taken.
    pub course: Option<Course>,
    /// Which part of it is seen.
    pub scroll: Place,
}

/// A lesson to choose from.
#[derive(Clone, Debug)]
pub struct Shelved {
    /// Its name.
    pub name: String,
    /// What it tells.
    pub lesson: Lesson,
    /// How many first answers were right, where it has been taken to its end.
    pub score: Option<usize>,
}

/// A lesson while it is taken.
#[derive(Clone, Debug)]
pub struct Course {
    /// Which one on the shelf.
    pub index: usize,
    /// What it tells.
    pub lesson: Lesson,
    /// Which step is read; after the last one, what came of it all.
    pub page: usize,
    /// What was answered to the question of each step.
    pub answers: BTreeMap<usize, usize>,
    /// The cluster after each step.
    scenes: Vec<Scene>,
    branch: BranchId,
    /// What the branch has been told of.
    told: View,
    /// How many steps that are.
    reached: usize,
    /// Whether the person has been told that there is a question.
    reminded: bool,
}

impl Course {
    fn new(index: usize, lesson: Lesson) -> Result<Self, LessonError> {
        let (scenes, told) = (lesson.play()?, View::new(lesson.shape.clone()));
        let (answers, branch) = (BTreeMap::new(), BranchId::MAIN);
        let (page, reached, reminded) = (0, 0, false);
        Ok(Self { index, lesson, page, answers, scenes, branch, told, reached, reminded })
    }

    /// The step that is read; none at the end.
    pub fn step(&self) -> Option<&Step> {
        self.lesson.steps.get(self.page)
    }

    /// The cluster as the step leaves it that is read, or the last one.
    pub fn scene(&self) -> &Scene {
        &self.scenes[self.page.min(self.scenes.len() - 1)]
    }

    /// The question of the step that is read, and what was answered.
    pub fn question(&self) -> Option<(&Question, Option<usize>)> {
        let question = self.step()?.question.as_ref()?;
        Some((question, self.answers.get(&self.page).copied()))
    }

    /// How many questions were answered right the first time.
    pub fn score(&self) -> usize {
        let right = |(step, choice): (&usize, &usize)| {
            let question = self.lesson.steps.get(*step).and_then(|step| step.question.as_ref());
            question.and_then(|it| it.choices.get(*choice)).is_some_and(|choice| choice.right)
        };
        self.answers.iter().filter(|answer| right(*answer)).count()
    }

    fn place(&self) -> (BranchId, u64) {
        (self.branch, self.scene().at())
    }
}

impl App {
    /// A screen on which lessons are taken: the one that is chosen of them, or what there are.
    #[must_use]
    pub fn learning(mut self, lessons: Vec<(String, Lesson)>, chosen: Option<usize>) -> Self {
        let shelved = |(name, lesson)| Shelved { name, lesson, score: None };
        let place = Place::new(chosen.unwrap_or(0), 0);
        self.learning = Some(Learning {
            shelf: lessons.into_iter().map(shelved).collect(),
            place,
            listing: true,
            course: None,
            scroll: Place::default(),
        });
        self.begin_anew(Shape::new(self.view.shape.replicas()));
        if let Some(index) = chosen {
            self.take_lesson(index);
        }
        self
    }

    /// Begins a lesson, or says why it cannot be played.
    fn take_lesson(&mut self, index: usize) {
        if let Err(error) = self.begin_lesson(index) {
            self.say(error.to_string(), Tone::Bad);
        }
    }

    /// Begins a lesson from its first step.
    fn begin_lesson(&mut self, index: usize) -> Result<(), LessonError> {
        let learning = self.learning.as_ref().and_then(|learning| learning.shelf.get(index));
        let Some(lesson) = learning.map(|shelved| shelved.lesson.clone()) else { return Ok(()) };
        let course = Course::new(index, lesson)?;
        self.begin_anew(course.lesson.shape.clone());
        if let Some(learning) = &mut self.learning {
            (learning.course, learning.listing) = (Some(course), false);
            learning.place = Place::new(index, 0);
        }
        self.turn_to_page(0);
        Ok(())
    }

    /// Forgets all that was seen, for a cluster in which nothing has happened. Nothing goes on beside it.
    fn begin_anew(&mut self, shape: Shape) {
        self.cancel().ok();
        let shape = Shape { endpoints: Vec::new(), ..shape };
        let fresh = App::new(shape.clone(), self.theme, self.ascii, self.mouse);
        let old = std::mem::replace(self, fresh.replaying(Multiverse::new(shape)));
        (self.keys, self.prompt, self.learning) = (old.keys, old.prompt, old.learning);
        (self.size, self.presenting, self.revision) = (old.size, old.presenting, old.revision + 1);
        self.screen = Screen::Lesson;
        self.focus_on(Pane::Lesson);
    }

    /// The lesson that is taken and not put aside for the list.
    pub fn course(&self) -> Option<&Course> {
        self.learning.as_ref().filter(|it| !it.listing).and_then(|it| it.course.as_ref())
    }

    fn course_mut(&mut self) -> Option<&mut Course> {
        self.learning.as_mut().and_then(|learning| learning.course.as_mut())
    }

    /// Whether what is looked at is what the lesson tells of.
    pub fn is_in_lesson(&self) -> bool {
        self.course().is_some_and(|course| course.place() == self.times.place())
    }

    /// Whether a branch belongs to the lesson that is taken, and to nobody else.
    pub(super) fn is_of_lesson(&self, branch: BranchId) -> bool {
        let course = self.learning.as_ref().and_then(|learning| learning.course.as_ref());
        course.is_some_and(|course| course.branch == branch)
    }

    /// Reads a step, and shows the cluster as it leaves it.
    fn turn_to_page(&mut self, page: usize) {
        let Some(mut course) = self.learning.as_mut().and_then(|it| it.course.take()) else {
            return;
        };
        course.page = page.min(course.scenes.len());
        course.reminded = false;
        if course.branch == BranchId::MAIN || self.times.multiverse.get(course.branch).is_none() {
            self.branch_off_for(&mut course);
        }
        // What comes later is not given away.
        let reached = course.scenes.len().min(course.page + 1);
        for scene in course.scenes.get(course.reached..reached).unwrap_or_default() {
            for notice in &scene.notices {
                self.times.multiverse.note(course.branch, notice);
                course.told.apply(notice.clone());
                self.times.multiverse.grow(course.branch, &course.told.log);
            }
        }
        course.reached = course.reached.max(reached);
        let (branch, at) = course.place();
        self.show_there(branch, at, course.scene().cluster.clone());
        self.tell_place(Ok(()));
        let over = course.page == course.scenes.len();
        let (index, score) = (course.index, course.score());
        if let Some(learning) = &mut self.learning {
            learning.course = Some(course);
            learning.scroll = Place::default();
            if over && let Some(shelved) = learning.shelf.get_mut(index) {
                shelved.score = Some(score);
            }
        }
        self.focus_on(Pane::Lesson);
    }

    /// Begins the branch in which a lesson is told.
    fn branch_off_for(&mut self, course: &mut Course) {
        let shelved = self.learning.as_ref().and_then(|it| it.shelf.get(course.index));
        let name = shelved.map(|shelved| shelved.name.clone()).unwrap_or_default();
        let (multiverse, gate) = (&mut self.times.multiverse, GateState::default());
        let named = multiverse.branch(BranchId::MAIN, 0, &gate, Some(&name));
        let branch = named.or_else(|_| multiverse.branch(BranchId::MAIN, 0, &gate, None));
        course.branch = branch.expect("every run begins somewhere");
        (course.reached, course.told) = (0, View::new(course.lesson.shape.clone()));
    }

    /// Shows the cluster again as the lesson has it, and the lesson.
    fn return_to_lesson(&mut self) {
        self.screen = Screen::Lesson;
        self.mode = Mode::Normal;
        self.focus_on(Pane::Lesson);
        if let Some(page) = self.course().map(|course| course.page)
            && !self.is_in_lesson()
        {
            self.turn_to_page(page);
        }
    }

    /// Does what is to be done about lessons.
    pub(super) fn learn(&mut self, deed: Deed) {
        match deed {
            Deed::Lesson => self.return_to_lesson(),
            Deed::Lessons => {
                self.screen = Screen::Lesson;
                self.focus_on(Pane::Lesson);
                if let Some(learning) = &mut self.learning {
                    (learning.listing, learning.scroll) = (true, Place::default());
                }
            }
            Deed::Answer(choice) => self.answer_question(usize::from(choice)),
            Deed::NextPart | Deed::PreviousPart => match self.course() {
                None if deed == Deed::NextPart => self.choose_lesson(),
                None => {}
                Some(_) if !self.is_in_lesson() => self.return_to_lesson(),
                Some(_) if deed == Deed::NextPart => self.go_on_in_lesson(),
                Some(course) => match course.page.checked_sub(1) {
                    Some(before) => self.turn_to_page(before),
                    None => self.say("this is the beginning of the lesson", Tone::Plain),
                },
            },
            _ => self.travel(deed),
        }
    }

    /// Takes the lesson that is selected in the list, where one was left or from its beginning.
    fn choose_lesson(&mut self) {
        let Some(learning) = &mut self.learning else { return };
        let index = learning.place.selected;
        let resumed = learning
            .course
            .as_ref()
            .is_some_and(|course| course.index == index && course.page < course.lesson.steps.len());
        if resumed {
            learning.listing = false;
            self.return_to_lesson();
        } else {
            self.take_lesson(index);
        }
    }

    fn go_on_in_lesson(&mut self) {
        let Some(course) = self.course_mut() else { return };
        if let Some((question, None)) = course.question()
            && !course.reminded
        {
            let letters = letters(question);
            course.reminded = true;
            let advice = format!("answer with {letters}, or go on without an answer");
            self.go_in_lesson(Move::Bottom, 1);
            return self.say(advice, Tone::Plain);
        }
        if course.page < course.lesson.steps.len() {
            let next = course.page + 1;
            return self.turn_to_page(next);
        }
        let next = course.index + 1;
        let known = self.learning.as_ref().is_some_and(|learning| next < learning.shelf.len());
        if !known {
            return self.learn(Deed::Lessons);
        }
        self.take_lesson(next);
    }

    /// Answers the question of the step that is read. What was answered first, counts.
    fn answer_question(&mut self, choice: usize) {
        let Some((question, answered)) = self.course().and_then(Course::question) else {
            return self.say("nothing is asked here", Tone::Plain);
        };
        if answered.is_some() {
            return self.say("this is answered, and the first answer counts", Tone::Plain);
        }
        let Some(right) = question.choices.get(choice).map(|choice| choice.right) else {
            return self.say(format!("answer with {}", letters(question)), Tone::Plain);
        };
        if let Some(course) = self.course_mut() {
            course.answers.insert(course.page, choice);
        }
        let (word, tone) =
            if right { ("right", Tone::Good) } else { ("not quite; read why", Tone::Plain) };
        self.say(word, tone);
        // The explanation stands below.
        self.go_in_lesson(Move::Bottom, 1);
    }

    /// Moves among lessons, or in the text of one.
    pub(super) fn go_in_lesson(&mut self, to: Move, page: usize) {
        let Some(learning) = &mut self.learning else { return };
        if learning.listing {
            learning.place.go(to.by(page), learning.shelf.len());
        } else {
            learning.scroll.scroll(to.by(page));
        }
    }

    /// Selects the lesson in a row of the list.
    pub(super) fn select_lesson(&mut self, row: usize) -> Option<usize> {
        let learning = self.learning.as_mut().filter(|learning| learning.listing)?;
        let index = learning.scroll.offset + row;
        (index < learning.shelf.len()).then(|| learning.place.selected = index)?;
        Some(index)
    }

    /// Keeps what is seen of a lesson within it.
    pub(super) fn settle_lesson(&mut self) {
        let area = self.layout().rows(Pane::Lesson);
        if area.is_empty() {
            return;
        }
        let lines = panel::lesson::lines(self, usize::from(area.width)).len();
        if let Some(learning) = &mut self.learning {
            learning.scroll.settle_offset(lines, usize::from(area.height));
        }
    }

    /// Whether a deed about lessons would come to anything now.
    pub(super) fn can_learn(&self, deed: Deed) -> bool {
        let question = self.course().and_then(Course::question);
        match deed {
            Deed::Answer(choice) => question.is_some_and(|(question, answered)| {
                answered.is_none() && usize::from(choice) < question.choices.len()
            }),
            Deed::PreviousPart => self.course().is_some_and(|course| course.page > 0),
            Deed::Lesson => {
                self.learning.is_some() && (self.pane() != Pane::Lesson || !self.is_in_lesson())
            }
            Deed::Lessons => self.course().is_some(),
            _ => self.learning.is_some(),
        }
    }
}

/// The letters that answer a question, as people read them.
fn letters(question: &Question) -> String {
    let letters: Vec<String> =
        ('a'..).take(question.choices.len()).map(|letter| letter.to_string()).collect();
    match letters.as_slice() {
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
        [] => String::new(),
    }
}
