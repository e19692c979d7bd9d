//! What a store has to do with its regions: to name them, and to remove those that are over.

use nix::fcntl::OFlag;

use super::any::{file_of, hold, remove};
use super::lock::UNATTACHED;
use super::options::{RegionOptions, read_header};
#[cfg(doc)]
use crate::Cause;
use crate::names::name::Name;
use crate::os::dir::{Dir, file_id};
use crate::{Error, Result, Store};

impl Store {
    /// How to create the region of that key, or attach to it. A key is a name as any: 1 to 200 bytes of `[A-Za-z0-9._-]`,
    /// no dot first; it does not conflict with a name of the same spelling.
    ///
    /// # Examples
    /// See [`Region`](crate::Region).
    pub fn region(&self, key: &str) -> RegionOptions {
        RegionOptions::new(self.dir.clone(), key)
    }

    /// The keys of the regions there are, sorted.
    ///
    /// # Errors
    /// [`Cause::System`](crate::Cause::System): as readdir(3).
    pub fn regions(&self) -> Result<Vec<String>> {
        let keys = keys(&self.dir).map_err(|error| error.of_file(self.dir.own_path()))?;
        Ok(keys.iter().map(Name::to_string).collect())
    }

    /// Ends the names that are over, and removes what those who died have left: the names of processes that are gone if
    /// they were to live as long, those that were to end with the last who was attached, those under which nothing was
    /// ever published, those whose owner died while ending them, and unfinished files. Regions that were to end with
    /// the last who was attached, too. Returns the names that it ended, sorted, and then the regions' keys. Other users'
    /// names and regions stay.
    ///
    /// # Errors
    /// [`Cause::System`]: as readdir(3). What cannot be ended is left to the next.
    ///
    /// # Examples
    /// ```
    /// # let dir = tempfile::tempdir()?;
    /// # let store = unsafe { graven_store::Store::open(&dir)? };
    /// drop(store.owner("nothing-published")?);
    /// store.owner("kept")?.publish(&1u8)?;
    /// assert_eq!(store.sweep()?, ["nothing-published"]);
    /// assert_eq!(store.list()?, ["kept"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sweep(&self) -> Result<Vec<String>> {
        let mut swept = self.sweep_names()?;
        swept.extend(sweep(&self.dir).map_err(|error| error.of_file(self.path()))?);
        Ok(swept)
    }
}

/// Removes the regions of a directory that end with their last attachment and have none left, since those who were
/// attached have been killed. Their keys. What cannot be removed is left to the next.
fn sweep(dir: &Dir) -> Result<Vec<String>> {
    let over = |key: &Name| -> Result<bool> {
        let file = file_of(key);
        let held = hold(|| dir.open_file(&file, OFlag::O_RDONLY), "open the region")?;
        let (header, stat) = read_header(held.get()?)?;
        Ok(header.transient && remove(dir, &file, file_id(&stat), &UNATTACHED)? == Some(true))
    };
    let mut keys = keys(dir)?;
    keys.retain(|key| over(key).unwrap_or(false));
    Ok(keys.iter().map(Name::to_string).collect())
}

/// The keys of the regions of a directory, sorted.
fn keys(dir: &Dir) -> Result<Vec<Name>> {
    let names = dir.names().map_err(Error::system("list the store"))?;
    let mut keys: Vec<Name> = names.iter().filter_map(|file| key_of(file.to_str()?)).collect();
    keys.sort();
    Ok(keys)
}

/// The key of a region's file; `None` if it is not one.
fn key_of(file: &str) -> Option<Name> {
    Name::new(file.strip_suffix(".rgn")?).ok()
}
