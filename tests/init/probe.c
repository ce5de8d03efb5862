/* What the tests start under pidone: a program that tells exactly what it was given and what
 * reaches it. Raw system calls where the C library would hide something (signals 32 and 33). */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static void die(const char *what) {
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    _exit(99);
}

static void set_mask(uint64_t mask) {
    if (syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8) != 0) die("rt_sigprocmask");
}

/* The kernel's own record, not the C library's. */
struct info { int number, code, pid; };
static struct info wait_signal(uint64_t mask) {
    siginfo_t info;
    for (;;) {
        long number = syscall(SYS_rt_sigtimedwait, &mask, &info, NULL, 8);
        if (number > 0) return (struct info){ (int)number, info.si_code, info.si_pid };
        if (errno != EINTR) die("rt_sigtimedwait");
    }
}

static int in_foreground(void) { return tcgetpgrp(0) == getpgrp(); }

static void wait_end_of_stdin(void) {
    char byte;
    while (read(0, &byte, 1) > 0) {}
}

static void copy(const char *path) {
    char block[4096];
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) die(path);
    for (ssize_t n; (n = read(file, block, sizeof block)) > 0;) {
        if (write(1, block, (size_t)n) != n) die("write");
    }
    close(file);
}

/* report: who and what this process is, as `name value` lines. */
static int report(void) {
    char line[512];
    FILE *status = fopen("/proc/self/status", "re");
    if (!status) die("/proc/self/status");
    const char *wanted[] = { "SigBlk", "SigIgn", "SigCgt", "Uid", "Gid", "Groups", "NoNewPrivs" };
    while (fgets(line, sizeof line, status)) {
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
            size_t length = strlen(wanted[i]);
            if (strncmp(line, wanted[i], length) == 0 && line[length] == ':') {
                char *value = line + length + 1;
                for (char *at = value; *at; at++) if (*at == '\t') *at = ' ';
                printf("%s%s", wanted[i], value);
            }
        }
    }
    fclose(status);
    DIR *fds = opendir("/proc/self/fd");
    if (!fds) die("/proc/self/fd");
    for (struct dirent *entry; (entry = readdir(fds));) {
        int number = atoi(entry->d_name);
        struct stat about;
        if (entry->d_name[0] == '.' || number == dirfd(fds)) continue;
        if (fstat(number, &about) != 0) die("fstat");
        printf("fd %d %ju:%ju\n", number, (uintmax_t)about.st_dev, (uintmax_t)about.st_ino);
    }
    closedir(fds);
    printf("pid %d\nppid %d\npgid %d\nsid %d\n", getpid(), getppid(), getpgrp(), getsid(0));
    printf("foreground %d\n", in_foreground());
    printf("end\n");
    return 0;
}

/* signals [END] [STATUS]: a line for each signal that arrives; signal END ends with STATUS.
 * jobsignals: the same, but the terminal's stop signals keep their default action. */
static int signals(int end, int status, int stoppable) {
    uint64_t all = UINT64_MAX;
    if (stoppable) all &= ~(1ull << (SIGTSTP - 1) | 1ull << (SIGTTIN - 1) | 1ull << (SIGTTOU - 1));
    set_mask(all);
    printf("ready %d\n", getpid());
    for (;;) {
        struct info got = wait_signal(all);
        printf("SIGNAL %d code %d from %d foreground %d\n", got.number, got.code, got.pid, in_foreground());
        if (got.number == end) return status;
    }
}

/* count SIGNAL N: ends when the signal has come N times. */
static int count(int number, int wanted) {
    set_mask(UINT64_MAX);
    printf("ready\n");
    for (int seen = 0; seen < wanted;) seen += wait_signal(UINT64_MAX).number == number;
    printf("all %d\n", wanted);
    return 0;
}

/* So many orphans, and a pipe that ends with the last of them. They live until `gate` ends; -1: no time at all. */
static int bear(int wanted, int gate) {
    int alive[2];
    char byte;
    if (pipe2(alive, O_CLOEXEC) != 0) die("pipe2");
    const int litter = 50;
    for (int made = 0; made < wanted; made += litter) {
        pid_t mother = fork();
        if (mother < 0) die("fork");
        if (mother == 0) {
            for (int i = 0; i < litter && made + i < wanted; i++) {
                pid_t orphan = fork();
                if (orphan < 0) die("fork");
                if (orphan == 0) _exit(gate >= 0 && read(gate, &byte, 1) != 0 ? 1 : i % 7);
            }
            _exit(0);
        }
        if (waitpid(mother, NULL, 0) != mother) die("waitpid");
    }
    close(alive[1]);
    return alive[0];
}

/* orphans N STATUS: N orphans, and how they went is nobody's business but init's. The last one's
 * end is the end of a pipe. Then waits for the end of stdin. */
static int orphans(int wanted, int status) {
    char byte;
    if (read(bear(wanted, -1), &byte, 1) != 0) die("read");
    printf("born and gone %d\n", wanted);
    wait_end_of_stdin();
    return status;
}

/* crowd LIVING N: N orphans as above among others that live on, when stdin has a byte. */
static int crowd(int living, int wanted) {
    int gate[2];
    char byte;
    if (pipe2(gate, O_CLOEXEC) != 0) die("pipe2");
    pid_t mother = fork();
    if (mother < 0) die("fork");
    if (mother == 0) {
        close(gate[1]);
        bear(living, gate[0]);
        _exit(0);
    }
    if (waitpid(mother, NULL, 0) != mother) die("waitpid");
    printf("ready\n");
    if (read(0, &byte, 1) != 1) die("read");
    return orphans(wanted, 0);
}

/* linger obey|ignore STATUS: leaves an orphan in a session of its own, which says on stdout what
 * reaches it, and ends with STATUS when stdin ends. */
static int linger(int obedient, int status) {
    int up[2];
    char byte;
    if (pipe2(up, O_CLOEXEC) != 0) die("pipe2");
    pid_t mother = fork();
    if (mother < 0) die("fork");
    if (mother == 0) {
        pid_t orphan = fork();
        if (orphan != 0) _exit(orphan < 0);
        setsid();
        set_mask(UINT64_MAX);
        if (write(up[1], "x", 1) != 1) die("write");
        close(up[1]);
        for (;;) {
            int number = wait_signal(UINT64_MAX).number;
            if (number == SIGCHLD) continue;
            printf("LEFT %d\n", number);
            if (obedient) _exit(0);
        }
    }
    waitpid(mother, NULL, 0);
    close(up[1]);
    if (read(up[0], &byte, 1) != 1) die("read");
    printf("ready %d\n", getpid());
    wait_end_of_stdin();
    return status;
}

/* family END: two processes of one group; each tells what reaches it. */
static int family(int end) {
    set_mask(UINT64_MAX);
    pid_t child = fork();
    if (child < 0) die("fork");
    const char *who = child == 0 ? "child" : "parent";
    printf("%s ready\n", who);
    for (;;) {
        int number = wait_signal(UINT64_MAX).number;
        if (number == SIGCHLD) continue;
        printf("%s %d\n", who, number);
        if (number == end) {
            if (child != 0) waitpid(child, NULL, 0);
            return 0;
        }
    }
}

static int number_after(const char *word, const char *key, int *value) {
    size_t length = strlen(key);
    if (strncmp(word, key, length) != 0) return 0;
    *value = atoi(word + length);
    return 1;
}

static void limit(int what, int value) {
    struct rlimit both = { (rlim_t)value, (rlim_t)value };
    if (setrlimit(what, &both) != 0) die("setrlimit");
}

/* Somebody else's signal to this process, which blocks it until it is another program. */
static void send_to_self(int number) {
    pid_t self = getpid(), helper = fork();
    if (helper < 0) die("fork");
    if (helper == 0) _exit(kill(self, number) != 0);
    waitpid(helper, NULL, 0);
}

/* As an old kernel, or a container's profile that does not know this system call. */
static void refuse(int number) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof filter / sizeof *filter, filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        die("seccomp");
}

/* with WORD... -- PROGRAM ARG...: becomes PROGRAM in circumstances that a shell cannot make. */
static int with(char **words) {
    uint64_t mask = 0;
    int value, uid = -1, session = 0, background = 0;
    char **program = words;
    while (*program && strcmp(*program, "--") != 0) program++;
    if (!*program || !program[1]) die("no program");
    /* Opened while this process still may: the directories above may be closed to `uid`. */
    int file = open(program[1], O_PATH | O_CLOEXEC);
    if (file < 0) die(program[1]);
    for (; words < program; words++) {
        if (strcmp(*words, "bare") == 0) {
            /* Nothing inherited but the standard streams; where the tests run is not their fault. */
            for (value = 3; value < 1024; value++) if (value != file) close(value);
        } else if (number_after(*words, "ignore=", &value)) signal(value, SIG_IGN);
        else if (number_after(*words, "block=", &value)) set_mask(mask |= 1ull << (value - 1));
        else if (number_after(*words, "pend=", &value)) {
            set_mask(mask |= 1ull << (value - 1));
            send_to_self(value);
        } else if (number_after(*words, "open=", &value)) {
            int null = open("/dev/null", O_RDWR);
            if (null < 0 || dup2(null, value) != value) die("dup2");
            if (null != value) close(null);
        } else if (number_after(*words, "close=", &value)) close(value);
        else if (number_after(*words, "nofile=", &value)) limit(RLIMIT_NOFILE, value);
        else if (number_after(*words, "nproc=", &value)) limit(RLIMIT_NPROC, value);
        else if (number_after(*words, "refuse=", &value)) refuse(value);
        else if (number_after(*words, "uid=", &uid)) {}
        else if (strcmp(*words, "terminal") == 0) {
            if (setsid() < 0 || ioctl(0, TIOCSCTTY, 0) != 0) die("TIOCSCTTY");
        } else if (strcmp(*words, "job") == 0) session = 1;
        else if (strcmp(*words, "background") == 0) session = background = 1;
        else die(*words);
    }
    if (uid >= 0 && (setgroups(0, NULL) != 0 || setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0))
        die("setuid");
    /* As a shell with job control starts a command, and what the terminal is like afterwards. */
    if (session) {
        pid_t job = fork();
        if (job < 0) die("fork");
        if (job != 0) {
            int status;
            signal(SIGTTOU, SIG_IGN);
            setpgid(job, job);
            if (!background && tcsetpgrp(0, job) != 0) die("tcsetpgrp");
            if (waitpid(job, &status, 0) != job) die("waitpid");
            const char *whose = tcgetpgrp(0) == job ? "the job" : tcgetpgrp(0) == getpgrp() ? "the shell" : "nobody we know";
            printf("foreground is %s\n", whose);
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        setpgid(0, 0);
        if (!background) {
            signal(SIGTTOU, SIG_IGN);
            if (tcsetpgrp(0, getpid()) != 0) die("tcsetpgrp");
            signal(SIGTTOU, SIG_DFL);
        }
    }
    extern char **environ;
    syscall(SYS_execveat, file, "", program + 1, environ, AT_EMPTY_PATH);
    die("execveat");
    return 99;
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    const char *mode = argc > 1 ? argv[1] : "";
    int first = argc > 2 ? atoi(argv[2]) : 0, second = argc > 3 ? atoi(argv[3]) : 0;
    if (strcmp(mode, "report") == 0) return report();
    if (strcmp(mode, "environ") == 0) { copy("/proc/self/environ"); return 0; }
    if (strcmp(mode, "cmdline") == 0) { copy("/proc/self/cmdline"); return 0; }
    if (strcmp(mode, "signals") == 0) return signals(first ? first : SIGTERM, second, 0);
    if (strcmp(mode, "jobsignals") == 0) return signals(first ? first : SIGTERM, second, 1);
    if (strcmp(mode, "count") == 0) return count(first, second);
    if (strcmp(mode, "orphans") == 0) return orphans(first, second);
    if (strcmp(mode, "crowd") == 0) return crowd(first, second);
    if (strcmp(mode, "linger") == 0 && argc > 2) return linger(strcmp(argv[2], "obey") == 0, second);
    if (strcmp(mode, "family") == 0) return family(first);
    if (strcmp(mode, "fault") == 0) { *(volatile int *)0 = 1; return 0; }
    if (strcmp(mode, "kill") == 0) {
        for (int times = argc > 4 ? atoi(argv[4]) : 1; times > 0; times--) if (kill(first, second) != 0) die("kill");
        return 0;
    }
    if (strcmp(mode, "with") == 0) return with(argv + 2);
    fprintf(stderr, "probe: no such mode: %s\n", mode);
    return 99;
}
