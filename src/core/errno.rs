//! Error numbers that decisions depend on, or that a worker gets. Linux has the same ones on every architecture
//! that Node.js runs on (errno(3); include/uapi/asm-generic/errno-base.h and errno.h).

macro_rules! numbers {
    ($($name:ident $number:literal),*) => {
        $(#[doc = concat!("`", stringify!($name), "` (errno(3)).")]
        pub const $name: i32 = $number;)*
    };
}

numbers!(ENOENT 2, EIO 5, E2BIG 7, ENOEXEC 8, EACCES 13, ENOTDIR 20, EINVAL 22, EMFILE 24, ENAMETOOLONG 36);
numbers!(EAFNOSUPPORT 97, EADDRINUSE 98, EADDRNOTAVAIL 99, ESHUTDOWN 108);
