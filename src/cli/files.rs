//! The files that a cluster leaves behind: its trace, its recording, its counters, and what other
//! programs read.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::Context;

use crate::cli::Usage;
use crate::cli::arguments::{ClusterArguments, Exported};
use crate::export::{Format, export};
use crate::multiverse::recorder::Recorder;
use crate::node::live::LiveWorld;
use crate::observe::notice::Notice;
use crate::observe::trace::Line;
use crate::observe::view::View;
use crate::script::world::World;
use crate::tools::metrics;
use crate::tools::run::Printer;

/// Files that are made before anything runs, so that a path that cannot be written to is known at
/// once and not when there is something to lose.
pub struct Files {
    trace: Option<Arc<Mutex<Printer<BufWriter<File>>>>>,
    record: Option<File>,
    recording: Option<Arc<Mutex<Recording>>>,
    metrics: Option<File>,
    exports: Vec<(Format, File)>,
}

/// A recording that is being made.
struct Recording {
    recorder: Recorder,
    out: BufWriter<File>,
    /// The first failure to write, after which nothing more is written.
    failed: Option<io::Error>,
}

impl Recording {
    fn write(&mut self, line: &str) {
        if self.failed.is_none() {
            self.failed = writeln!(self.out, "{line}").err();
        }
    }

    fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = self.out.flush().err();
        }
    }

    fn note(&mut self, notice: &Notice, view: &View) {
        self.recorder.note(notice);
        for line in self.recorder.lines(&view.log) {
            self.write(&line);
        }
        // What is written is there to be read, should the process be killed.
        self.flush();
    }

    fn finish(&mut self) -> io::Result<()> {
        let end = self.recorder.end();
        self.write(&end);
        self.flush();
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl Files {
    /// Makes the files that the arguments ask for, of a cluster of `replicas`.
    pub fn create(arguments: &ClusterArguments, replicas: usize) -> anyhow::Result<Self> {
        check_apart(arguments)?;
        let trace = arguments.trace.as_deref().map(create).transpose()?;
        let printer =
            |file| Arc::new(Mutex::new(Printer::new(BufWriter::new(file), true, replicas)));
        let exports = arguments.export.iter();
        let exports = exports.map(|Exported { format, file }| anyhow::Ok((*format, create(file)?)));
        Ok(Self {
            trace: trace.map(printer),
            record: arguments.record.as_deref().map(create_new).transpose()?,
            recording: None,
            metrics: arguments.metrics.as_deref().map(create).transpose()?,
            exports: exports.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Records what happens in a world from now on, in which nothing has happened yet, if that is
    /// wanted.
    pub fn record(&mut self, world: &mut LiveWorld) {
        let Some(file) = self.record.take() else { return };
        let (recorder, first) = Recorder::new(&world.view().shape);
        let mut recording = Recording { recorder, out: BufWriter::new(file), failed: None };
        recording.write(&first);
        let recording = Arc::new(Mutex::new(recording));
        self.recording = Some(recording.clone());
        world.on_notices(move |notice, view| {
            if let Ok(mut recording) = recording.lock() {
                recording.note(notice, view);
            }
        });
    }

    /// What writes lines of the trace down, if they are wanted.
    pub fn tracer(&self) -> impl FnMut(&[Line]) + Send + use<> {
        let trace = self.trace.clone();
        move |lines| {
            if let Some(printer) = &trace
                && let Ok(mut printer) = printer.lock()
            {
                printer.trace(lines);
                // What is written is there to be read, should the process be killed.
                printer.flush();
            }
        }
    }

    /// Writes down what remains to be, after all has been seen.
    pub fn finish(self, view: &View) -> anyhow::Result<()> {
        if let Some(printer) = self.trace
            && let Ok(mut printer) = printer.lock()
        {
            printer.finish().context("cannot write the trace")?;
        }
        if let Some(recording) = self.recording
            && let Ok(mut recording) = recording.lock()
        {
            recording.finish().context("cannot write the recording")?;
        }
        if let Some(mut file) = self.metrics {
            let json = serde_json::to_string_pretty(&metrics::to_json(view))?;
            writeln!(file, "{json}").context("cannot write the counters")?;
        }
        for (format, mut file) in self.exports {
            let written = file.write_all(export(format, view).as_bytes());
            written.with_context(|| format!("cannot write the {format} file"))?;
        }
        Ok(())
    }
}

/// Refuses two files that are one.
fn check_apart(arguments: &ClusterArguments) -> Result<(), Usage> {
    let trace = arguments.trace.iter().map(|file| ("--trace".to_owned(), file));
    let metrics = arguments.metrics.iter().map(|file| ("--metrics".to_owned(), file));
    let record = arguments.record.iter().map(|file| ("--record".to_owned(), file));
    let exports = arguments.export.iter();
    let exports = exports.map(|own| (format!("--export {}", own.format), &own.file));
    let mut named = Vec::new();
    let mut files = BTreeSet::new();
    for (option, file) in trace.chain(metrics).chain(record).chain(exports) {
        named.push((option, file));
        if !files.insert(file) {
            let same: Vec<_> = named
                .into_iter()
                .filter(|(_, own)| *own == file)
                .map(|(option, _)| option)
                .collect();
            return Err(Usage(format!("{} name the same file", same.join(" and "))));
        }
    }
    Ok(())
}

/// Makes a file that is not there yet: what was recorded cannot be had again. What is no file in a folder,
/// such as a pipe, is written to.
pub(super) fn create_new(path: &Path) -> anyhow::Result<File> {
    if path.is_file() {
        let name = path.display();
        let advice = "remove it, or record to another";
        return Err(Usage(format!("there is a file {name} already; {advice}")).into());
    }
    create(path)
}

fn create(path: &Path) -> anyhow::Result<File> {
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}
