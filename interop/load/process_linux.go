package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// process is another process on this machine, as /proc shows it. A nil one is not looked at.
type process struct{ pid int }

func newProcess(pid int) (*process, error) {
	p := &process{pid}
	var c CPU
	var m Memory
	if err := p.cpu(&c); err != nil {
		return nil, err
	}
	return p, p.memory(&m)
}

// cpu is the processor time used so far. The total is exact; user and system are what the kernel's ticks say.
func (p *process) cpu(c *CPU) error {
	if p == nil {
		return nil
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.pid))
	if err != nil {
		return fmt.Errorf("no process %d: %w", p.pid, err)
	}
	_, rest, _ := strings.Cut(string(b), ") ") // behind the name, which may hold anything
	f := strings.Fields(rest[strings.LastIndex(rest, ") ")+1:])
	if len(f) < 13 {
		return fmt.Errorf("/proc/%d/stat: %d fields", p.pid, len(f))
	}
	const ticks = 100 // a second: USER_HZ
	user, err1 := strconv.ParseFloat(f[11], 64)
	system, err2 := strconv.ParseFloat(f[12], 64)
	if err1 != nil || err2 != nil {
		return fmt.Errorf("/proc/%d/stat: no numbers", p.pid)
	}
	*c = CPU{user / ticks, system / ticks, (user + system) / ticks}
	var ts unix.Timespec
	const scheduled = 2 // CPUCLOCK_SCHED, of clock_getcpuclockid(3)
	if unix.ClockGettime(int32(^p.pid<<3|scheduled), &ts) == nil {
		c.Total = float64(ts.Nano()) / 1e9
	}
	return nil
}

// memory is what the process holds now.
func (p *process) memory(m *Memory) error {
	if p == nil {
		return nil
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.pid))
	if err != nil {
		return fmt.Errorf("memory of process %d: %w", p.pid, err)
	}
	for line := range bytes.Lines(b) {
		f := strings.Fields(string(line))
		if len(f) < 3 || f[2] != "kB" {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return fmt.Errorf("memory of process %d: %w", p.pid, err)
		}
		switch f[0] {
		case "Rss:":
			m.RSS = n << 10
		case "Pss:":
			m.PSS = n << 10
		}
	}
	return nil
}

// ownCPU is the processor time of this process in seconds.
func ownCPU() float64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &ts) != nil {
		return 0
	}
	return float64(ts.Nano()) / 1e9
}
