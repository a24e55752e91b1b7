//go:build tools

// Package tools pins gateway-api.
package tools

import (
	_ "sigs.k8s.io/gateway-api/apis/v1"
)
