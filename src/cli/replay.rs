//! `epaxos-tui replay`.

use std::path::Path;

use anyhow::{Context, anyhow};

use crate::cli::arguments::ScreenArguments;
use crate::cli::{Usage, monitor, print, rerun};
use crate::files::{Kind, read_bytes};
use crate::multiverse::reader::Recorded;
use crate::multiverse::written::{is_token, of_token};
use crate::tui::app::Tone;

/// Reads a recording, and plays it again. Returns it as far as it is whole, with what is wrong with it.
fn read(file: &Path) -> anyhow::Result<(Recorded, Vec<String>)> {
    let packed = |token: &str| of_token(token).map_err(|reason| anyhow!(reason));
    let bytes = match file.to_str().filter(|text| is_token(text)) {
        Some(token) => packed(token)?.into_bytes(),
        None => read_bytes(file, Kind::Recording)?,
    };
    // What is piped in may be a token, too.
    let bytes = match std::str::from_utf8(&bytes).ok().filter(|text| is_token(text)) {
        Some(token) => packed(token)?.into_bytes(),
        None => bytes,
    };
    let mut recorded = Recorded::read(&bytes).with_context(|| name(file))?;
    let different = recorded.verify().err();
    let mut found: Vec<String> = recorded.damage.iter().map(ToString::to_string).collect();
    found.extend(different.map(|difference| difference.to_string()));
    Ok((recorded, found))
}

/// What a recording is called: a token would fill the screen.
fn name(file: &Path) -> String {
    let is_token = file.to_str().is_some_and(is_token);
    if is_token { "the token".to_owned() } else { file.display().to_string() }
}

/// Plays a recording again, and says whether all is as it was.
pub fn check(file: &Path) -> anyhow::Result<()> {
    let (recorded, found) = read(file)?;
    let len = recorded.multiverse.main().len();
    let why = recorded.why.map(|why| format!("; no more was recorded, since {why}"));
    let verdict = format!("{len} entries are as they were{}", why.unwrap_or_default());
    let printed = print(&lines(found.iter().chain([&verdict])));
    whole(file, &found)?;
    Ok(printed?)
}

/// Plays a recording on a fresh cluster, and says whether all is as it was.
pub fn rerun(file: &Path) -> anyhow::Result<()> {
    let (recorded, found) = read(file)?;
    let printed = print(&lines(&found));
    let verdict = rerun::rerun(&recorded.multiverse).map_err(|reason| anyhow!(reason))?;
    let printed = printed.and_then(|()| print(&lines([&verdict])));
    whole(file, &found)?;
    Ok(printed?)
}

/// Each sentence on a line of its own.
fn lines<'a>(sentences: impl IntoIterator<Item = &'a String>) -> String {
    sentences.into_iter().flat_map(|sentence| [sentence.as_str(), "\n"]).collect()
}

fn whole(file: &Path, found: &[String]) -> anyhow::Result<()> {
    if found.is_empty() { Ok(()) } else { Err(anyhow!("{} is not whole", name(file))) }
}

/// Opens a recording in the monitor.
pub fn open(file: &Path, screen: &ScreenArguments) -> anyhow::Result<()> {
    if file == Path::new("-") {
        return Err(Usage("standard input can only be read with --check".to_owned()).into());
    }
    let (recorded, found) = read(file)?;
    let len = recorded.multiverse.main().len();
    let entries = if len == 1 { "entry" } else { "entries" };
    let mut told = format!("{}: {len} {entries}; p and n go back and forth", name(file));
    for sentence in found.iter().chain(&recorded.why) {
        told = format!("{told}; {sentence}");
    }
    let tone = if found.is_empty() { Tone::Plain } else { Tone::Bad };
    let multiverse = recorded.multiverse;
    monitor::look_at(screen, multiverse.shape().clone(), |app| {
        let mut app = app.replaying(multiverse);
        app.say(told, tone);
        app
    })
}
