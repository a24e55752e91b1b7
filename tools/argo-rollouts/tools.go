//go:build tools

// Package tools pins argo-rollouts.
package tools

import (
	_ "github.com/argoproj/argo-rollouts/cmd/rollouts-controller"
)
