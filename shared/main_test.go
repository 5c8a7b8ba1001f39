package shared_test

import (
	"testing"

	"example.com/netrpc/shared/rpctest"
)

func TestMain(m *testing.M) {
	rpctest.SetTempDir()
	m.Run()
}
