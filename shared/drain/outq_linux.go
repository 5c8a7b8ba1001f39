package drain

import (
	"syscall"
	"unsafe"
)

// outq returns how much the peer of a connection has still to take (SIOCOUTQ), or -1.
func outq(conn any) int {
	size := int32(-1)
	if socket, ok := conn.(syscall.Conn); ok {
		if raw, err := socket.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) {
				syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&size)))
			})
		}
	}
	return int(size)
}
