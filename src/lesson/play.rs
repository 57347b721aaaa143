//! Plays a lesson, step by step, and holds it to what it claims.

use std::fmt;

use crate::check::Checker;
use crate::lesson::expectation::Expectation;
use crate::lesson::{Lesson, LessonError, Question, Step};
use crate::observe::notice::Notice;
use crate::script::session::Session;
use crate::script::world::World;
use crate::sim::cluster::Cluster;

/// The cluster as a step leaves it, and what came of its commands.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The cluster, which listens from here on.
    pub cluster: Cluster,
    /// The commands, each with what it had to say.
    pub said: Vec<(String, Vec<String>)>,
    /// What was heard of the cluster during the step.
    pub notices: Vec<Notice>,
    /// The lines that the step added to the trace.
    pub trace: Vec<String>,
}

impl Scene {
    /// How many turns had been taken when the step was over.
    pub fn at(&self) -> u64 {
        self.cluster.view().log.len()
    }

    fn lines(&self) -> Vec<String> {
        self.said.iter().flat_map(|(_, lines)| lines.clone()).collect()
    }
}

/// What was found to hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many steps were played.
    pub steps: usize,
    /// How many commands were carried out.
    pub commands: usize,
    /// How many expectations hold.
    pub expectations: usize,
    /// How many questions are asked.
    pub questions: usize,
    /// How many of them the run itself answers.
    pub answered: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, commands, expectations, questions, answered } = self;
        let counted = |count: usize, thing: &str| match count {
            1 => format!("1 {thing}"),
            count => format!("{count} {thing}s"),
        };
        let played = [(*steps, "step"), (*commands, "command"), (*expectations, "expectation")];
        for (count, thing) in played {
            write!(f, "{}, ", counted(count, thing))?;
        }
        let questions = counted(*questions, "question");
        write!(f, "{questions} ({answered} answered by the run): all of it holds")
    }
}

impl Lesson {
    /// Plays it. The first command that is refused ends it.
    pub fn play(&self) -> Result<Vec<Scene>, LessonError> {
        let mut cluster = Cluster::new(self.shape.clone());
        cluster.listen();
        let mut session = Session::default();
        self.steps.iter().map(|step| play_step(&mut cluster, &mut session, step)).collect()
    }

    /// Plays it, and says what was found to hold, or the first thing that does not.
    pub fn check(&self) -> Result<Report, LessonError> {
        let scenes = self.play()?;
        let mut report = Report { steps: self.steps.len(), ..Report::default() };
        for (index, (step, scene)) in self.steps.iter().zip(&scenes).enumerate() {
            report.commands += step.commands.len();
            for expectation in &step.expectations {
                judge(expectation, scene)?
                    .map_err(|reason| LessonError::new(expectation.line, reason))?;
                report.expectations += 1;
            }
            if let Some(question) = &step.question {
                report.questions += 1;
                let told = check_answers(question, scenes.get(index + 1))?;
                report.answered += usize::from(told);
            }
        }
        self.check_run(scenes.last())?;
        Ok(report)
    }

    /// Whether all that must be true of every run is true of this one.
    fn check_run(&self, last: Option<&Scene>) -> Result<(), LessonError> {
        let Some(Scene { cluster, .. }) = last else { return Ok(()) };
        let options = &self.shape.options;
        let mut checker = Checker::new(options.quorums, options.reply_on);
        for entry in cluster.view().log.iter() {
            checker.step(&entry.step);
        }
        let line = self.steps.last().map_or(1, |step| step.line);
        match checker.violations().first() {
            Some(violation) => Err(LessonError::new(line, violation.to_string())),
            None => Ok(()),
        }
    }
}

fn play_step(
    cluster: &mut Cluster,
    session: &mut Session,
    step: &Step,
) -> Result<Scene, LessonError> {
    let told = cluster.view().traced;
    let mut said = Vec::new();
    for (line, command) in &step.commands {
        let lines = session.perform(cluster, command);
        let lines = lines.and_then(|lines| {
            // Where nothing is paused everything moves, as it does in the monitor.
            if !command.only_looks() && !cluster.view().gate.paused {
                cluster.settle()?;
            }
            Ok(lines)
        });
        let lines = lines.map_err(|reason| LessonError::new(*line, reason))?;
        said.push((command.to_string(), lines));
    }
    let notices = cluster.take_notices();
    let new = cluster.view().trace.iter().filter(|line| line.n >= told);
    let trace = new.map(ToString::to_string).collect();
    // Whoever goes on from here was not asked for what was proposed before.
    let mut here = cluster.clone();
    here.take_answers();
    Ok(Scene { cluster: here, said, notices, trace })
}

/// Whether an expectation holds after a step, or why not.
fn judge(expectation: &Expectation, scene: &Scene) -> Result<Result<(), String>, LessonError> {
    let mut cluster = scene.cluster.clone();
    let judged = expectation.judge(&mut cluster, &scene.lines(), &scene.trace);
    judged.map_err(|reason| LessonError::new(expectation.line, reason))
}

/// Whether the run answers a question as it says; false where the run is not asked.
fn check_answers(question: &Question, next: Option<&Scene>) -> Result<bool, LessonError> {
    let Some(next) = next else { return Ok(false) };
    let mut told = false;
    for choice in question.choices.iter().filter(|choice| !choice.expectations.is_empty()) {
        told = true;
        let mut failed = None;
        for expectation in &choice.expectations {
            failed = failed.or(judge(expectation, next)?.err());
        }
        let wrong = match (choice.right, failed) {
            (true, Some(reason)) => format!("this is said to be right, but then {reason}"),
            (false, None) => "this is said to be wrong, but all that it expects holds".to_owned(),
            _ => continue,
        };
        return Err(LessonError::new(choice.line, wrong));
    }
    Ok(told)
}
