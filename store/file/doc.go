// Package file is a store in one directory of one machine: the memory store,
// made durable by a log. It needs no server and is for programs of one process,
// with any number of schedulers in it.
//
//	file:///var/lib/app/jobs
//	file:///var/lib/app/jobs?fsync=off
//
// The path names the directory, and the directory is the namespace: it holds
// one and nothing else. It is created, with rights for its owner only, if it is
// not there. All stores that a process opens on a directory share what is in
// it; while one is open, a second process is refused, with an error that names
// the holder.
//
// # Whose the directory is
//
// A process owns a directory by locks on the directory and on the log
// themselves, so the removal of a file lets no second process in. Before each
// acknowledgement the store makes sure that the directory and the log still
// have their names; when they were removed or replaced the store ends with
// [store.ErrEnded].
//
// Open refuses directories and files of other users than the process's own and
// the superuser, and directories in which every user may replace files. No link
// is followed in the place of one of the store's files.
//
// # What is kept
//
// Everything that was acknowledged survives the death of the process at any
// point, and that of the machine, too: nothing is acknowledged, and nothing
// shown to a reader or a watch, before fsync says that it is on disk. Commits
// that wait while the disk is busy share the next fsync. With fsync=off nobody
// waits for the disk: the death of the process still loses nothing, that of the
// machine may lose the last commits, let versions and tokens come back, or
// leave a log that is refused as damaged.
//
// Sessions and ephemeral keys end with the process, as if they had expired: all
// of them are gone at the next open. Versions, tokens and the order of
// creations go on where they were.
//
// # When the disk fails
//
// A log that can't be written, say on a full disk, ends the store for this
// process: commits under way are ErrUnknown, because they may be on disk;
// everything later, reads too, is [store.ErrEnded]; sessions are not renewed
// and end; watches say Stale and end. A scheduler's Run returns the error. What
// was acknowledged is there when the directory is opened again, after all
// stores on it were closed.
//
// A crash leaves a log that ends in the middle of a write; that write
// was not acknowledged and is cut off. A log that is damaged anywhere else is
// refused with [ErrDamaged]: the error names the file and the offset, and says
// what can be done. The one damage that can't be told from a crash is that of
// the very last write.
//
// # Limits
//
// All keys and values are in memory. The log is written again, without what is
// outdated, when more than 8 MiB, and more than what it held then, were added;
// commits wait meanwhile, for about as long as it takes to write all that the
// store holds. Network file systems whose locks or fsync don't work are no
// place for the directory.
package file
