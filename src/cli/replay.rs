//! `epaxos-tui replay`.

use std::mem::ManuallyDrop;
use std::path::Path;

use anyhow::{Context, anyhow};
use tokio::runtime;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::arguments::ScreenArguments;
use crate::cli::{Usage, monitor, print, read_input};
use crate::multiverse::reader::Recorded;
use crate::multiverse::tree::BranchId;
use crate::tui;
use crate::tui::app::Tone;

/// Opens a recording in the monitor, or plays it again and says whether all is as it was.
pub fn run(file: &Path, check: bool, screen: &ScreenArguments) -> anyhow::Result<()> {
    if !check && file == Path::new("-") {
        return Err(Usage("standard input can only be read with --check".to_owned()).into());
    }
    let name = file.display();
    let mut recorded = Recorded::read(&read_input(file)?).with_context(|| name.to_string())?;
    let different = recorded.verify().err();
    let len = recorded.multiverse.main().len();
    let mut found: Vec<String> = recorded.damage.iter().map(ToString::to_string).collect();
    found.extend(different.map(|difference| difference.to_string()));
    if check {
        for sentence in &found {
            print(&format!("{sentence}\n"))?;
        }
        let why = recorded.why.map(|why| format!("; no more was recorded, since {why}"));
        print(&format!("{len} entries are as they were{}\n", why.unwrap_or_default()))?;
        return if found.is_empty() { Ok(()) } else { Err(anyhow!("{name} is not whole")) };
    }
    let mut told = format!("{name}: {len} entries; p and n go back and forth");
    for sentence in found.iter().chain(&recorded.why) {
        told = format!("{told}; {sentence}");
    }
    let tone = if found.is_empty() { Tone::Plain } else { Tone::Bad };
    open(recorded, &told, tone, screen)
}

fn open(
    recorded: Recorded,
    told: &str,
    tone: Tone,
    screen: &ScreenArguments,
) -> anyhow::Result<()> {
    let keys = monitor::keys(screen)?;
    monitor::check_terminal()?;
    tracing_subscriber::registry().with(tui::log_layer()).try_init().ok();
    let options = tui::Options {
        ascii: screen.ascii,
        theme: monitor::theme(screen),
        mouse: !screen.no_mouse,
        keys,
    };
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    let _runtime = runtime.enter();
    let multiverse = recorded.multiverse;
    // What has been read was possible: its end can be looked at.
    multiverse.clone().at(BranchId::MAIN, u64::MAX).map_err(|astray| anyhow!("{astray}"))?;
    let seen = tui::look_at(options, multiverse.shape().clone(), |app| {
        let mut app = app.replaying(multiverse);
        app.say(told, tone);
        app
    });
    // The program ends here: to free bit by bit all that was seen would keep the shell waiting.
    let _seen = ManuallyDrop::new(seen.context("the screen failed")?);
    Ok(())
}
