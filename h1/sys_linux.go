package h1

import (
	"syscall"
	"unsafe"
)

// Calls on descriptors that do not block. The small ones are made without telling the scheduler, which takes a processor away from
// a goroutine whose system call takes 20 microseconds, and hands it to another thread: for calls that copy a message and are
// back, that costs more than they do.

// brief is how many octets such a call moves at most: a quarter of a millisecond, about.
const brief = 1<<20 + 4<<10

func sysRead(fd int, b []byte) (int, error) {
	n, err := sysMove(syscall.SYS_READ, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b), len(b))
	raceRead(fd)
	return n, err
}

func sysWrite(fd int, b []byte) (int, error) {
	raceWrites(fd)
	return sysMove(syscall.SYS_WRITE, fd, unsafe.Pointer(unsafe.SliceData(b)), len(b), len(b))
}

// sysReadv and sysWritev move size octets, at most, to or from v.
func sysReadv(fd int, v []syscall.Iovec, size int) (int, error) {
	n, err := sysMove(syscall.SYS_READV, fd, unsafe.Pointer(unsafe.SliceData(v)), len(v), size)
	raceRead(fd)
	return n, err
}

func sysWritev(fd int, v []syscall.Iovec, size int) (int, error) {
	raceWrites(fd)
	return sysMove(syscall.SYS_WRITEV, fd, unsafe.Pointer(unsafe.SliceData(v)), len(v), size)
}

func sysMove(call uintptr, fd int, p unsafe.Pointer, n, size int) (int, error) {
	for {
		var got uintptr
		var e syscall.Errno
		if size <= brief {
			got, _, e = syscall.RawSyscall(call, uintptr(fd), uintptr(p), uintptr(n))
		} else {
			got, _, e = syscall.Syscall(call, uintptr(fd), uintptr(p), uintptr(n))
		}
		switch e {
		case 0:
			return int(got), nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, syscall.EAGAIN // as an error without an allocation
		default:
			return 0, e
		}
	}
}

// sysReady asks an epoll, and does not wait.
func sysReady(fd int, events []syscall.EpollEvent) (int, error) {
	for {
		n, _, e := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), 0, 0, 0)
		switch e {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		default:
			return 0, e
		}
	}
}
