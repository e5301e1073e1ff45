//! Streams files through as many threads as there are processors; a few hundred objects are in memory at once.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, sync_channel},
    },
    thread,
};

use countersign_policy::Bundle;

use super::tally::Tally;
use crate::recorded::{AgentMapping, JsonObjects, ObjectError, Reader, Recorded};

/// Objects that go to a thread at once.
const BATCH: usize = 64;
/// Batches that wait for a thread.
const WAITING: usize = 8;

/// What to replay, against which bundle.
#[derive(Clone, Copy, Debug)]
pub struct Simulation<'a> {
    /// The bundle that decides.
    pub bundle: &'a Bundle,
    /// The bundle to compare it with.
    pub against: Option<&'a Bundle>,
    /// Who is whose agent.
    pub agents: &'a AgentMapping,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Objects read.
    pub objects: u64,
    /// Bytes of the files read.
    pub bytes: u64,
    /// Bytes of the files in all; 0 where that is not known.
    pub total: u64,
}

/// A file that cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[error("`{}`: {source}", path.display())]
pub struct SimulateError {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub source: ObjectError,
}

impl Simulation<'_> {
    /// Decides every call in `files` (JSON lines or CloudTrail's files, each also with gzip) and counts.
    ///
    /// # Errors
    /// When a file cannot be read to its end.
    pub fn run(&self, files: &[PathBuf], progress: impl FnMut(Progress)) -> Result<Tally, SimulateError> {
        let count = |tally: &mut Tally, recorded: Recorded| tally.count(recorded, self.bundle, self.against);
        let tallies = fold(files, Reader::new(self.bundle.settings(), self.agents), progress, Tally::default, count)?;
        Ok(tallies.into_iter().fold(Tally::default(), |mut all, one| {
            all.merge(one);
            all
        }))
    }
}

/// Reads every object of `files` and folds those of each thread into one value.
///
/// # Errors
/// When a file cannot be read to its end.
pub(crate) fn fold<T: Send>(
    files: &[PathBuf],
    reader: Reader<'_>,
    mut progress: impl FnMut(Progress),
    start: impl Fn() -> T + Sync,
    each: impl Fn(&mut T, Recorded) + Sync,
) -> Result<Vec<T>, SimulateError> {
    let workers = thread::available_parallelism().map_or(1, usize::from).min(8);
    let (sender, receiver) = sync_channel::<Vec<Vec<u8>>>(WAITING);
    let receiver = Mutex::new(receiver);
    let (receiver, start, each) = (&receiver, &start, &each);
    thread::scope(|scope| {
        let work = move || {
            let mut folded = start();
            while let Some(batch) = take(receiver) {
                for object in batch {
                    each(&mut folded, reader.read(&object));
                }
            }
            folded
        };
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let read = read_all(files, &mut progress, |batch| sender.send(batch).is_ok());
        drop(sender);
        let mut folded = Vec::with_capacity(workers);
        for handle in handles {
            match handle.join() {
                Ok(one) => folded.push(one),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        read.map(|()| folded)
    })
}

fn take(receiver: &Mutex<Receiver<Vec<Vec<u8>>>>) -> Option<Vec<Vec<u8>>> {
    receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn read_all(
    files: &[PathBuf],
    progress: &mut impl FnMut(Progress),
    send: impl Fn(Vec<Vec<u8>>) -> bool,
) -> Result<(), SimulateError> {
    let total = files.iter().map(|path| std::fs::metadata(path).map_or(0, |file| file.len())).sum();
    let mut done = Progress { total, ..Progress::default() };
    for path in files {
        let wrong = |source: ObjectError| SimulateError { path: path.clone(), source };
        let counted = Arc::new(AtomicU64::new(0));
        let mut objects = JsonObjects::new(open(path, Arc::clone(&counted)).map_err(|error| wrong(error.into()))?);
        let before = done.bytes;
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(object) = objects.next_object().map_err(wrong)? {
            done.objects += 1;
            batch.push(object);
            if batch.len() == BATCH {
                if !send(std::mem::take(&mut batch)) {
                    return Ok(());
                }
                done.bytes = before + counted.load(Ordering::Relaxed);
                progress(done);
            }
        }
        if !batch.is_empty() && !send(batch) {
            return Ok(());
        }
        done.bytes = before + counted.load(Ordering::Relaxed);
        progress(done);
    }
    Ok(())
}

/// A file, out of gzip where its first bytes say so. `-` is stdin.
fn open(path: &Path, counted: Arc<AtomicU64>) -> io::Result<Box<dyn BufRead>> {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    let from: Box<dyn Read> = if path == Path::new("-") { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
    let mut file = BufReader::with_capacity(1 << 16, Counting { from, counted });
    if file.fill_buf()?.starts_with(&GZIP) {
        // CloudTrail's files may be several members in a row.
        return Ok(Box::new(BufReader::with_capacity(1 << 16, flate2::bufread::MultiGzDecoder::new(file))));
    }
    Ok(Box::new(file))
}

struct Counting {
    from: Box<dyn Read>,
    counted: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.counted.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
