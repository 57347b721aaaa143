//! A lesson as a text. Every line is understood before anything is played.

use crate::epaxos::quorum::CLUSTER_SIZES;
use crate::epaxos::replica::ReplyOn;
use crate::lesson::expectation::Expectation;
use crate::lesson::{CHOICES_MOST, Choice, Lesson, LessonError, Question, Step};
use crate::observe::notice::Shape;
use crate::script::grammar::Command;

/// What a line that goes on goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Nothing,
    About,
    Narration,
    Question,
    Choice,
    Because,
}

/// The part of a lesson that has been read.
struct Reader {
    title: Option<String>,
    about: String,
    shape: Shape,
    steps: Vec<Step>,
    open: Open,
}

impl Lesson {
    /// Reads a lesson.
    pub fn parse(text: &str) -> Result<Self, LessonError> {
        let mut reader = Reader {
            title: None,
            about: String::new(),
            shape: Shape::new(REPLICAS_DEFAULT),
            steps: Vec::new(),
            open: Open::Nothing,
        };
        let mut last = 1;
        for (number, line) in (1..).zip(text.lines()) {
            last = number;
            reader
                .line(number, line.trim_end())
                .map_err(|reason| LessonError::new(number, reason))?;
        }
        reader.finish().map_err(|(line, reason)| LessonError::new(line.unwrap_or(last), reason))
    }
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) -> Result<(), String> {
        let (sign, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match sign {
            _ if line.is_empty() => self.open = Open::Nothing,
            "%" => {}
            "#" => self.title(rest)?,
            "##" => self.step(number, rest)?,
            ">" => self.command(number, rest)?,
            "?" => self.question(number, rest)?,
            "+" | "-" => self.choice(number, rest, sign == "+")?,
            "=" => self.because(rest)?,
            _ => self.words(number, line)?,
        }
        Ok(())
    }

    /// A line that no sign begins.
    fn words(&mut self, number: usize, line: &str) -> Result<(), String> {
        let words = line.trim();
        if let Some(claim) = words.strip_prefix("expect ") {
            return self.expectation(number, claim);
        }
        if self.title.is_none() {
            return Err("a lesson begins with its title, after #".to_owned());
        }
        if self.steps.is_empty() {
            if self.open == Open::Nothing
                && let Some((name, value)) = setting(words)
            {
                return self.set(name, value);
            }
            join(&mut self.about, words);
            self.open = Open::About;
            return Ok(());
        }
        let indented = line.starts_with(' ');
        let goes_on =
            indented && matches!(self.open, Open::Question | Open::Choice | Open::Because);
        if goes_on {
            let open = self.open;
            let question = self.asked()?;
            let last = match open {
                Open::Question => &mut question.text,
                Open::Because => &mut question.because,
                _ => &mut question.choices.last_mut().ok_or(NO_QUESTION)?.text,
            };
            join(last, words);
            return Ok(());
        }
        let open = self.open;
        let step = self.telling()?;
        if open != Open::Narration {
            step.narration.push(String::new());
        }
        join(step.narration.last_mut().expect("a paragraph was begun"), words);
        self.open = Open::Narration;
        Ok(())
    }

    fn title(&mut self, title: &str) -> Result<(), String> {
        if self.title.is_some() {
            return Err("a lesson has one title; a step begins with ##".to_owned());
        }
        self.title = Some(named("a lesson", title)?);
        Ok(())
    }

    fn step(&mut self, line: usize, heading: &str) -> Result<(), String> {
        if self.title.is_none() {
            return Err("a lesson begins with its title, after #".to_owned());
        }
        self.open = Open::Nothing;
        self.steps.push(Step {
            line,
            heading: named("a step", heading)?,
            narration: Vec::new(),
            commands: Vec::new(),
            expectations: Vec::new(),
            question: None,
        });
        Ok(())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let options = &mut self.shape.options;
        match (name, value) {
            ("replicas", number) => {
                let number = number.parse().ok().filter(|number| CLUSTER_SIZES.contains(number));
                let number = number.ok_or("a cluster has 3, 5, 7 or 9 replicas")?;
                let Shape { options, .. } = Shape::new(number);
                let own = &self.shape.options;
                let (thrifty, reply_on) = (own.thrifty, own.reply_on);
                self.shape.options =
                    crate::epaxos::replica::Options { thrifty, reply_on, ..options };
            }
            ("thrifty", "yes") => options.thrifty = true,
            ("thrifty", "no") => options.thrifty = false,
            ("reply-on", "execute") => options.reply_on = ReplyOn::Execute,
            ("reply-on", "commit") => options.reply_on = ReplyOn::Commit,
            ("thrifty", _) => return Err("thrifty is yes or no".to_owned()),
            ("reply-on", _) => return Err("reply-on is execute or commit".to_owned()),
            _ => {
                return Err(format!(
                    "there is no setting \"{name}\"; there are replicas, thrifty, reply-on"
                ));
            }
        }
        Ok(())
    }

    fn command(&mut self, line: usize, words: &str) -> Result<(), String> {
        let command = Command::parse(words).map_err(|error| error.to_string())?;
        let command = command.ok_or("a command is missing after >")?;
        self.open = Open::Nothing;
        self.telling()?.commands.push((line, command));
        Ok(())
    }

    fn expectation(&mut self, line: usize, words: &str) -> Result<(), String> {
        let expectation = Expectation::parse(line, words)?;
        let step = self.steps.last_mut().ok_or(NO_STEP)?;
        let own = match &mut step.question {
            None => &mut step.expectations,
            Some(question) if question.because.is_empty() => {
                let choice = question.choices.last_mut();
                &mut choice.ok_or("an expectation belongs to a step or to a choice")?.expectations
            }
            Some(_) => return Err(ENDED.to_owned()),
        };
        own.push(expectation);
        self.open = Open::Nothing;
        Ok(())
    }

    fn question(&mut self, line: usize, text: &str) -> Result<(), String> {
        let text = named("a question", text)?;
        let question = Question { line, text, choices: Vec::new(), because: String::new() };
        self.telling()?.question = Some(question);
        self.open = Open::Question;
        Ok(())
    }

    fn choice(&mut self, line: usize, text: &str, right: bool) -> Result<(), String> {
        let text = named("a choice", text)?;
        let question = self.asked()?;
        if !question.because.is_empty() {
            return Err(ENDED.to_owned());
        }
        if question.choices.len() == CHOICES_MOST {
            return Err(format!("a question has {CHOICES_MOST} choices at most"));
        }
        question.choices.push(Choice { line, text, right, expectations: Vec::new() });
        self.open = Open::Choice;
        Ok(())
    }

    fn because(&mut self, text: &str) -> Result<(), String> {
        let text = named("an explanation", text)?;
        let question = self.asked()?;
        if !question.because.is_empty() {
            return Err("a question has one explanation".to_owned());
        }
        question.because = text;
        self.open = Open::Because;
        Ok(())
    }

    /// The step that goes on, before its question.
    fn telling(&mut self) -> Result<&mut Step, String> {
        let step = self.steps.last_mut().ok_or(NO_STEP)?;
        if step.question.is_some() { Err(ENDED.to_owned()) } else { Ok(step) }
    }

    /// The question that goes on.
    fn asked(&mut self) -> Result<&mut Question, String> {
        let step = self.steps.last_mut().ok_or(NO_STEP)?;
        step.question.as_mut().ok_or_else(|| NO_QUESTION.to_owned())
    }

    /// What has been read, if it is whole; otherwise the line and what is wrong.
    fn finish(self) -> Result<Lesson, (Option<usize>, String)> {
        let Some(title) = self.title else {
            return Err((None, "a lesson begins with its title, after #".to_owned()));
        };
        if self.steps.is_empty() {
            return Err((None, "a lesson has steps, each of which begins with ##".to_owned()));
        }
        let last = self.steps.len() - 1;
        for (index, step) in self.steps.iter().enumerate() {
            if step.narration.is_empty() {
                return Err((Some(step.line), "this step tells nothing".to_owned()));
            }
            if let Some(question) = &step.question {
                whole(question, index == last)
                    .map_err(|(line, why)| (Some(line), why.to_owned()))?;
            }
        }
        Ok(Lesson { title, about: self.about, shape: self.shape, steps: self.steps })
    }
}

/// Whether a question has all that it needs.
fn whole(question: &Question, last: bool) -> Result<(), (usize, &'static str)> {
    let Question { line, choices, because, .. } = question;
    if choices.len() < 2 {
        return Err((*line, "a question has at least two choices, after + or -"));
    }
    if !choices.iter().any(|choice| choice.right) {
        return Err((*line, "none of the choices is right; a right one begins with +"));
    }
    if choices.iter().all(|choice| choice.right) {
        return Err((*line, "every choice is right; a wrong one begins with -"));
    }
    if because.is_empty() {
        return Err((*line, "the explanation is missing, after ="));
    }
    let told = choices.iter().flat_map(|choice| &choice.expectations).next();
    match told {
        Some(told) if last => Err((told.line, "there is no next step that could tell this")),
        _ => Ok(()),
    }
}

/// A setting and its value.
fn setting(words: &str) -> Option<(&str, &str)> {
    let (name, value) = words.split_once(':')?;
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    (plain && !name.is_empty()).then(|| (name, value.trim()))
}

fn named(what: &str, text: &str) -> Result<String, String> {
    if text.is_empty() { Err(format!("{what} needs words")) } else { Ok(text.to_owned()) }
}

/// Adds words to a text.
fn join(text: &mut String, words: &str) {
    if !text.is_empty() {
        text.push(' ');
    }
    text.push_str(words);
}

const NO_STEP: &str = "this belongs to a step, which begins with ##";

const NO_QUESTION: &str = "this belongs to a question, which begins with ?";

const ENDED: &str = "a question ends its step; the next one begins with ##";

const REPLICAS_DEFAULT: usize = 5;
