//! A first start adds the data partition to the table of the disk, and may lose power at any moment of that.
//!
//! Whether a table is whole is what `sfdisk` says, which reads the copy at the end when the first is torn.

use anyhow::{Context, Result, ensure};
use image_tests::machine::root;
use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

const SECTOR: u64 = 512;
/// Sectors of the image, and of the larger disk that it is written to.
const IMAGE: u64 = 16_384;
const DISK: u64 = 32_768;
/// As `scripts/image-disk` lays it out, with small partitions.
const LAYOUT: &str = "label: gpt
label-id: 686F6D65-6E69-4348-8154-000000000000
start=1MiB, size=1MiB, type=C12A7328-F81F-11D2-BA4B-00C04FD430C8, uuid=686F6D65-6E69-4348-8154-0000000000A1, name=boot-a
size=2MiB, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=686F6D65-6E69-4348-8154-0000000000A2, name=root-a
size=1MiB, type=C12A7328-F81F-11D2-BA4B-00C04FD430C8, uuid=686F6D65-6E69-4348-8154-0000000000B1, name=boot-b
size=2MiB, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=686F6D65-6E69-4348-8154-0000000000B2, name=root-b
";
/// Name, first sector and sectors.
const SLOTS: [(&str, u64, u64); 4] =
    [("boot-a", 2048, 2048), ("root-a", 4096, 4096), ("boot-b", 8192, 2048), ("root-b", 10_240, 4096)];
const DATA: (&str, u64, u64) = ("data", 14_336, 16_384);
/// The real `dd` until call `LAST`: that one writes `HALVES` halves, and the power goes away.
const DD: &str = r#"#!/bin/sh
PATH=$REAL_PATH
echo >>"$CALLS"
[ "$(wc -l <"$CALLS")" -eq "$LAST" ] || exec dd "$@"
for word in "$@"; do
  case $word in
    if=* | of=*) files="$files $word" ;;
    seek=*) at=${word#*=} ;;
    count=*) count=${word#*=} ;;
  esac
done
dd $files bs=256 skip=$((at * 2)) seek=$((at * 2)) count=$((count * HALVES)) conv=notrunc
kill -9 $PPID
"#;

#[test]
fn a_table_is_whole_wherever_the_power_goes_away_while_data_is_added() {
    let mut disk = Disk::flash().unwrap();
    assert_eq!(disk.add_data(None).unwrap(), Ended::Complete);
    let writes = disk.writes().unwrap();
    assert!(writes >= 4, "two tables of entries and a header each took {writes} writes");
    for last in 1..=writes {
        for halves in [1, 2] {
            let moment = format!("after {halves} halves of write {last}");
            disk = Disk::flash().unwrap();
            assert_eq!(disk.add_data(Some((last, halves))).unwrap(), Ended::Cut, "{moment}");
            let table = disk.table().context(moment.clone()).unwrap();
            assert_eq!(table.places.get(..4), Some(&owned(&SLOTS)[..]), "{moment}");
            assert!(table.places.len() == 4 || table.places.get(4..) == Some(&owned(&[DATA])[..]), "{moment}");

            assert_eq!(disk.add_data(None).unwrap(), Ended::Complete, "again {moment}");
            disk.is_complete().context(format!("again {moment}")).unwrap();
        }
    }
}

#[test]
fn two_disks_with_the_same_image_have_no_id_in_common_once_they_have_data() {
    let mut disks = [Disk::flash().unwrap(), Disk::flash().unwrap()];
    let image = disks[0].table().unwrap().ids;
    assert_eq!((image.len(), &image), (5, &disks[1].table().unwrap().ids), "the image's own are fixed");
    let mut ids = image;
    for disk in &mut disks {
        assert_eq!(disk.add_data(None).unwrap(), Ended::Complete);
        disk.is_complete().unwrap();
        ids.extend(disk.table().unwrap().ids);
    }
    assert_eq!(ids.len(), 5 + 6 + 6, "{ids:#?}");
}

#[derive(Debug, PartialEq)]
enum Ended {
    Complete,
    Cut,
}

/// What `sfdisk` finds on a disk.
struct Table {
    places: Vec<(String, u64, u64)>,
    /// Of the table and of each partition.
    ids: BTreeSet<String>,
}

/// A file that stands for a disk, in a folder with a `dd` whose power goes away.
struct Disk {
    dir: TempDir,
    path: PathBuf,
}

impl Disk {
    /// A disk to which the image has just been written.
    fn flash() -> Result<Self> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("disk");
        File::create(&path)?.set_len(IMAGE * SECTOR)?;
        let mut sfdisk = tool("sfdisk").arg("--quiet").arg(&path).stdin(Stdio::piped()).spawn()?;
        sfdisk.stdin.take().context("no input")?.write_all(LAYOUT.as_bytes())?;
        ensure!(sfdisk.wait()?.success(), "sfdisk does not make the image's table");
        File::options().write(true).open(&path)?.set_len(DISK * SECTOR)?;
        fs::create_dir(dir.path().join("bin"))?;
        let dd = dir.path().join("bin/dd");
        fs::write(&dd, DD)?;
        fs::set_permissions(&dd, Permissions::from_mode(0o755))?;
        Ok(Self { dir, path })
    }

    /// Runs the box's program, until so many halves of the write with this number are done.
    fn add_data(&mut self, cut: Option<(usize, usize)>) -> Result<Ended> {
        let (last, halves) = cut.unwrap_or_default();
        fs::write(self.dir.path().join("calls"), "")?;
        let output = Command::new(root().join("overlay/usr/lib/homenichat/add-partition"))
            .arg(&self.path)
            .args([DISK, DATA.1, DATA.2].map(|sectors| sectors.to_string()))
            .env("PATH", format!("{}:{}", self.dir.path().join("bin").display(), real_path()))
            .env("REAL_PATH", real_path())
            .env("TMPDIR", self.dir.path())
            .env("CALLS", self.dir.path().join("calls"))
            .env("LAST", last.to_string())
            .env("HALVES", halves.to_string())
            .output()?;
        let is_cut = output.status.code().is_none();
        ensure!(is_cut || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(if is_cut { Ended::Cut } else { Ended::Complete })
    }

    /// How often the program wrote.
    fn writes(&self) -> Result<usize> {
        Ok(fs::read_to_string(self.dir.path().join("calls"))?.lines().count())
    }

    fn table(&self) -> Result<Table> {
        let output = tool("sfdisk").arg("--dump").arg(&self.path).output()?;
        ensure!(output.status.success(), "no table: {}", String::from_utf8_lossy(&output.stderr));
        let mut table = Table { places: Vec::new(), ids: BTreeSet::new() };
        for line in String::from_utf8(output.stdout)?.lines() {
            if let Some(id) = line.strip_prefix("label-id: ") {
                table.ids.insert(id.to_owned());
            } else if let Some((_, fields)) = line.split_once(" : ") {
                let field = |name: &str| {
                    let words = fields.split(',').filter_map(|field| field.trim().split_once('='));
                    words.filter(|(key, _)| *key == name).map(|(_, value)| value.trim()).next().context(line.to_owned())
                };
                let name = field("name")?.trim_matches('"').to_owned();
                table.places.push((name, field("start")?.parse()?, field("size")?.parse()?));
                table.ids.insert(field("uuid")?.to_owned());
            }
        }
        Ok(table)
    }

    /// Both tables have all partitions, and ids that are not the image's. Destroys one after the other.
    fn is_complete(&self) -> Result<()> {
        let whole = owned(&[SLOTS[0], SLOTS[1], SLOTS[2], SLOTS[3], DATA]);
        let file = File::options().read(true).write(true).open(&self.path)?;
        let mut header = [0; 512];
        for broken in [None, Some(DISK - 1), Some(1)] {
            if let Some(sector) = broken {
                file.read_exact_at(&mut header, sector * SECTOR)?;
                file.write_all_at(&[0; 512], sector * SECTOR)?;
            }
            let table = self.table()?;
            ensure!(table.places == whole, "without sector {broken:?}: {:?}", table.places);
            let is_own = !table.ids.iter().any(|id| id.starts_with("686F6D65-"));
            ensure!(table.ids.len() == 6 && is_own, "without sector {broken:?}: {:?}", table.ids);
            if let Some(sector) = broken {
                file.write_all_at(&header, sector * SECTOR)?;
            }
        }
        Ok(())
    }
}

fn owned(places: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    places.iter().map(|&(name, start, size)| (name.to_owned(), start, size)).collect()
}

/// Where the tools are, also for who is not root.
fn real_path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    command.env("PATH", real_path());
    command
}
