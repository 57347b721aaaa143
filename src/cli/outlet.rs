//! Printing that never stops the program: text goes through a bounded queue to a thread that writes
//! it. What does not fit, and what cannot be written, is lost and counted.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Where text goes. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outlet {
    queue: SyncSender<Item>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Item {
    /// Text, and how many lines it has.
    Text(String, u64),
    /// Tell when everything before is written, and whether it all was.
    Flush(SyncSender<bool>),
}

impl Outlet {
    /// Starts a thread that writes to `out`.
    pub fn start(name: &str, out: impl Write + Send + 'static) -> io::Result<Self> {
        let (queue, queued) = sync_channel(QUEUE);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = lost.clone();
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn(move || write_all(out, &queued, &counted))?;
        Ok(Self { queue, lost })
    }

    /// Prints text of so many lines, or loses them where the queue is full.
    pub fn print(&self, text: String, lines: u64) {
        if lines > 0 && self.queue.try_send(Item::Text(text, lines)).is_err() {
            self.lost.fetch_add(lines, Ordering::Relaxed);
        }
    }

    /// How many lines are lost.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Waits until everything is written, but not for long: a reader may have stopped reading. Whether
    /// everything was written that was printed last.
    pub fn finish(&self) -> bool {
        let (tell, told) = sync_channel(1);
        for _ in 0..FINISH_POLLS {
            if self.queue.try_send(Item::Flush(tell.clone())).is_ok() {
                return told.recv_timeout(FINISH_POLLS * FINISH_POLL).unwrap_or(false);
            }
            thread::sleep(FINISH_POLL);
        }
        false
    }
}

fn write_all(mut out: impl Write, queued: &Receiver<Item>, lost: &AtomicU64) {
    let mut written = true;
    while let Ok(item) = queued.recv() {
        match item {
            Item::Text(text, lines) => {
                written = out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok();
                if !written {
                    lost.fetch_add(lines, Ordering::Relaxed);
                }
            }
            // Whoever asked may have given up.
            Item::Flush(tell) => drop(tell.try_send(written)),
        }
    }
}

/// A log line, printed when it is whole.
#[derive(Debug)]
pub struct LogLine<'a> {
    outlet: &'a Outlet,
    line: Vec<u8>,
}

impl Write for LogLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine<'_> {
    fn drop(&mut self) {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.outlet.print(line, 1);
    }
}

impl<'a> MakeWriter<'a> for Outlet {
    type Writer = LogLine<'a>;

    fn make_writer(&'a self) -> LogLine<'a> {
        LogLine { outlet: self, line: Vec::new() }
    }
}

/// How many texts may wait to be written.
const QUEUE: usize = 4096;

/// How often to look whether there is room in the queue at the end.
const FINISH_POLL: Duration = Duration::from_millis(10);

/// How many times.
const FINISH_POLLS: u32 = 50;

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::Sender;

    use super::*;

    /// Keeps what is written, and says when.
    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Fails, as a full disk does.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Takes nothing until it is dropped, as a pipe that is not read.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().ok();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_printed_is_written_in_order() {
        let kept = Kept::default();
        let outlet = Outlet::start("test", kept.clone()).unwrap();
        for number in 0..100 {
            outlet.print(format!("{number}\n"), 1);
        }
        assert!(outlet.finish());
        let text = (0..100).map(|number| format!("{number}\n")).collect::<Vec<_>>().concat();
        assert_eq!(kept.0.lock().unwrap().as_slice(), text.as_bytes());
        assert_eq!(outlet.lost(), 0);
    }

    #[test]
    fn what_cannot_be_written_is_counted() {
        let outlet = Outlet::start("test", Full).unwrap();
        outlet.print("a\nb\n".to_owned(), 2);
        assert!(!outlet.finish());
        assert_eq!(outlet.lost(), 2);
    }

    #[test]
    fn a_reader_that_does_not_read_stops_neither_the_program_nor_its_end() {
        let (release, stuck): (Sender<()>, _) = std::sync::mpsc::channel();
        let outlet = Outlet::start("test", Stuck(stuck)).unwrap();
        for _ in 0..QUEUE + 1000 {
            outlet.print("line\n".to_owned(), 1);
        }
        // One may be in the thread's hands, beside those in the queue.
        assert!((999..=1000).contains(&outlet.lost()), "{}", outlet.lost());
        assert!(!outlet.finish());
        drop(release);
    }
}
