"""What becomes of a process that opens a file it should not trust."""
import multiprocessing
import os
import resource
import signal
import time


def _peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _work(pipe, function, items, limit):
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # What is asked for but never touched counts as well.
    with open('/proc/self/statm') as f:
        held = int(f.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + limit, held + limit))
    for item in items:
        started, before = time.monotonic(), _peak()
        try:
            function(item)
            outcome = 'loaded'
        except Exception as error:
            outcome = f'{type(error).__name__}: {error}'
        pipe.send((outcome, time.monotonic() - started, _peak() - before))


def outcomes(function, items, seconds=10, limit=1 << 30):
    """Call a function for each item in a process of its own.

    Args:
        function: Gets an item.
        items (list): The items.
        seconds (float): The longest that one may take.
        limit (int): Bytes that the process may ask for beside what it has.

    Yields:
        tuple[str, float, int]: 'loaded', the error, 'SIGSEGV' or the like, or
        'hangs'; the time; and the memory that it took more than those before.
    """
    context = multiprocessing.get_context('fork')
    done = 0
    while done < len(items):
        ours, theirs = context.Pipe()
        process = context.Process(
            target=_work, args=(theirs, function, items[done:], limit))
        process.start()
        theirs.close()
        try:
            while done < len(items):
                if not ours.poll(seconds):
                    yield 'hangs', seconds, 0
                    break
                yield ours.recv()
                done += 1
        except EOFError:
            process.join()
            code = process.exitcode
            yield (signal.Signals(-code).name if code < 0 else
                   f'exit status {code}'), 0., 0
        if done < len(items):
            done += 1
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        ours.close()
