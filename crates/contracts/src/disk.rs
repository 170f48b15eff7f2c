use std::io;

/// `EIO`, for which the standard library has no kind.
const EIO: i32 = 5;

/// What a user can do about an error of the file system, where the error says so much.
#[must_use]
pub fn disk_advice(error: &io::Error) -> Option<&'static str> {
    if error.raw_os_error() == Some(EIO) {
        return Some("find out what is wrong with that disk; the system's log says more");
    }
    match error.kind() {
        io::ErrorKind::StorageFull => Some("make room on that disk"),
        io::ErrorKind::QuotaExceeded => Some("make room within the user's quota on that disk"),
        io::ErrorKind::FileTooLarge => Some("allow larger files (`ulimit -f`), or keep them on another disk"),
        io::ErrorKind::ReadOnlyFilesystem => Some("let that disk be written to again"),
        io::ErrorKind::PermissionDenied => Some("let the user that runs elspeth read and write there"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_advice_for_what_disks_do() {
        for code in [libc_code::ENOSPC, libc_code::EROFS, libc_code::EACCES, libc_code::EFBIG, EIO] {
            assert!(disk_advice(&io::Error::from_raw_os_error(code)).is_some(), "{code}");
        }
        assert_eq!(disk_advice(&io::Error::from(io::ErrorKind::InvalidData)), None);
    }

    /// As Linux and macOS number them.
    mod libc_code {
        pub(super) const EACCES: i32 = 13;
        pub(super) const EFBIG: i32 = 27;
        pub(super) const ENOSPC: i32 = 28;
        pub(super) const EROFS: i32 = 30;
    }
}
