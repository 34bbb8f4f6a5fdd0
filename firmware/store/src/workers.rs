//! The threads that own the connections: one that writes and commits in groups, and a few that read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, Savepoint, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::open::{open_reader, open_writer};
use crate::{OpenError, StoreError};

/// Answers the caller of an operation, given why the group was not committed, if it was not.
type Answer = Box<dyn FnOnce(Option<&rusqlite::Error>) + Send>;
type Write = Box<dyn FnOnce(Result<&mut Transaction<'_>, &rusqlite::Error>) -> Answer + Send>;
type Read = Box<dyn FnOnce(&Connection) + Send>;

/// The doors to the threads. Dropping this waits until the work that was accepted is done and the file is closed.
pub(crate) struct Workers {
    writer: Option<mpsc::Sender<Write>>,
    readers: Vec<mpsc::Sender<Read>>,
    next_reader: AtomicUsize,
    threads: Vec<JoinHandle<()>>,
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.writer = None;
        self.readers.clear();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

impl Workers {
    pub(crate) fn start(path: &Path) -> Result<Self, OpenError> {
        let connection = open_writer(path)?;
        let (writer, writes) = mpsc::channel(QUEUE);
        let mut readers = Vec::with_capacity(READERS);
        let mut threads = Vec::with_capacity(READERS + 1);
        for _ in 0..READERS {
            let (reader, reads) = mpsc::channel(QUEUE);
            let connection = open_reader(path)?;
            threads.push(spawn(path, "store-reader", move || run_reader(&connection, reads))?);
            readers.push(reader);
        }
        threads.push(spawn(path, "store-writer", move || run_writer(connection, writes))?);
        Ok(Self { writer: Some(writer), readers, next_reader: AtomicUsize::new(0), threads })
    }

    /// Does `operation` in a savepoint of the writer; what it returns is durable when this returns it.
    pub(crate) async fn write<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let write: Write = Box::new(move |transaction| {
            let result = match transaction {
                Ok(transaction) => in_savepoint(transaction, operation),
                Err(error) => Err(commit_error(error)),
            };
            Box::new(move |failure| {
                let result = result.and_then(|value| failure.map_or(Ok(value), |error| Err(commit_error(error))));
                // A caller that has gone away needs no answer.
                drop(answer.send(result));
            })
        });
        let writer = self.writer.as_ref().ok_or(StoreError::Stopped)?;
        writer.send(write).await.map_err(|_| StoreError::Stopped)?;
        answered.await.map_err(|_| StoreError::Stopped)?
    }

    /// Does `operation` on a connection that sees everything committed.
    pub(crate) async fn read<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let turn = self.next_reader.fetch_add(1, Ordering::Relaxed) % self.readers.len().max(1);
        let reader = self.readers.get(turn).ok_or(StoreError::Stopped)?;
        let read: Read = Box::new(move |connection| {
            let result = guard(|| in_snapshot(connection, operation));
            drop(answer.send(result));
        });
        reader.send(read).await.map_err(|_| StoreError::Stopped)?;
        answered.await.map_err(|_| StoreError::Stopped)?
    }
}

fn spawn(path: &Path, name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, OpenError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

fn run_reader(connection: &Connection, mut reads: mpsc::Receiver<Read>) {
    while let Some(read) = reads.blocking_recv() {
        read(connection);
    }
}

fn run_writer(mut connection: Connection, mut writes: mpsc::Receiver<Write>) {
    while let Some(first) = writes.blocking_recv() {
        commit_group(&mut connection, first, &mut writes);
    }
}

/// Commits `first` and whatever waits behind it at once: many callers share one write to the disk.
fn commit_group(connection: &mut Connection, first: Write, writes: &mut mpsc::Receiver<Write>) {
    let mut transaction = match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
        Ok(transaction) => transaction,
        Err(error) => {
            tracing::error!(%error, "database accepts no transaction");
            return first(Err(&error))(Some(&error));
        }
    };
    let mut answers = vec![first(Ok(&mut transaction))];
    // A full disk makes SQLite roll everything back on its own: nothing more may join, and the commit fails.
    while answers.len() < GROUP && !transaction.is_autocommit() {
        let Ok(write) = writes.try_recv() else { break };
        answers.push(write(Ok(&mut transaction)));
    }
    let commit = transaction.commit();
    if let Err(error) = &commit {
        tracing::error!(%error, operations = answers.len(), "group was not committed");
    }
    for answer in answers {
        answer(commit.as_ref().err());
    }
}

fn in_savepoint<T, F>(transaction: &mut Transaction<'_>, operation: F) -> Result<T, StoreError>
where
    F: FnOnce(&Connection) -> Result<T, StoreError>,
{
    let savepoint: Savepoint<'_> = transaction.savepoint()?;
    let value = guard(|| operation(&savepoint))?;
    savepoint.commit()?;
    Ok(value)
}

/// Gives a reader that asks twice the same answers.
fn in_snapshot<T, F>(connection: &Connection, operation: F) -> Result<T, StoreError>
where
    F: FnOnce(&Connection) -> Result<T, StoreError>,
{
    let transaction = connection.unchecked_transaction()?;
    let value = operation(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

/// Keeps the panic of one operation from ending the thread of all.
fn guard<T>(operation: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(operation)).unwrap_or_else(|_| {
        tracing::error!("an operation of the store panicked");
        Err(StoreError::Failed("operation panicked".into()))
    })
}

fn commit_error(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full,
        Some(_) | None => StoreError::Failed(error.to_string().into()),
    }
}

/// How many operations one commit may carry.
const GROUP: usize = 256;

/// How many operations may wait for a thread.
const QUEUE: usize = 512;

const READERS: usize = 2;

#[cfg(test)]
mod tests {
    use rusqlite::params;

    use super::*;
    use crate::sql::run;

    #[tokio::test]
    async fn a_failed_operation_takes_nobody_with_it() {
        let directory = tempfile::TempDir::new().unwrap();
        let workers = Workers::start(&directory.path().join("box.db")).unwrap();
        let insert = |key: &'static str, end: fn() -> Result<(), StoreError>| {
            workers.write(move |connection| {
                run(connection, "INSERT INTO settings VALUES (?1, '')", params![key])?;
                end()
            })
        };
        let (kept, failed, panicked, also_kept) = tokio::join!(
            insert("kept", || Ok(())),
            insert("failed", || Err(StoreError::NotFound { what: "sense" })),
            insert("panicked", || panic!("on purpose")),
            insert("also kept", || Ok(())),
        );
        assert!(matches!((kept, also_kept), (Ok(()), Ok(()))));
        assert!(matches!((failed, panicked), (Err(StoreError::NotFound { .. }), Err(StoreError::Failed(_)))));
        let keys = workers
            .read(|connection| {
                Ok(crate::sql::all(connection, "SELECT key FROM settings", [], |row| row.get::<_, String>(0))?)
            })
            .await;
        assert_eq!(keys.unwrap(), ["also kept".to_owned(), "kept".to_owned()]);
    }

    #[tokio::test]
    async fn a_full_disk_refuses_what_is_new_and_loses_nothing() {
        let directory = tempfile::TempDir::new().unwrap();
        let workers = Workers::start(&directory.path().join("box.db")).unwrap();
        let limit = |pages: u32| {
            workers.write(move |connection| Ok(connection.pragma_update(None, "max_page_count", pages)?))
        };
        let insert = |key: &'static str, length: usize| {
            workers.write(move |connection| {
                run(connection, "INSERT INTO settings VALUES (?1, ?2)", params![key, "x".repeat(length)])?;
                Ok(())
            })
        };
        insert("before", 10).await.unwrap();
        // Never below what the file has.
        limit(1).await.unwrap();
        // Whoever shares the commit fails with it, and is told so.
        let (large, small) = tokio::join!(insert("large", 100_000), insert("small", 10));
        assert!(matches!(large, Err(StoreError::Full)), "{large:?}");
        let kept = || {
            workers.read(|connection| {
                let sql = "SELECT key FROM settings ORDER BY key";
                Ok(crate::sql::all(connection, sql, [], |row| row.get::<_, String>(0))?)
            })
        };
        let wanted: Vec<_> = std::iter::once("before").chain(small.is_ok().then_some("small")).collect();
        assert_eq!(kept().await.unwrap(), wanted, "exactly what was confirmed");
        limit(u32::MAX - 1).await.unwrap();
        insert("after", 100_000).await.unwrap();
        assert!(kept().await.unwrap().contains(&"after".to_owned()));
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let directory = tempfile::TempDir::new().unwrap();
        let workers = Workers::start(&directory.path().join("box.db")).unwrap();
        let write = |connection: &Connection| Ok(run(connection, "INSERT INTO settings VALUES ('a', '')", [])?);
        assert!(matches!(workers.read(write).await, Err(StoreError::Failed(_))));
    }
}
