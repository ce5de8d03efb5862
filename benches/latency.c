/* A child for rows/signals.py: writes the time at which each SIGUSR1 reaches its handler, in nanoseconds of
 * CLOCK_MONOTONIC, to stdout; first a zero, when it is ready. */
#include <signal.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

static void tell(uint64_t time) {
    if (write(1, &time, sizeof time) != sizeof time) _exit(1);
}

static void handler(int number) {
    struct timespec now;
    (void)number;
    clock_gettime(CLOCK_MONOTONIC, &now);
    tell((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
}

int main(void) {
    struct sigaction action = { .sa_handler = handler };
    if (sigaction(SIGUSR1, &action, NULL) != 0) return 1;
    tell(0);
    for (;;) pause();
}
