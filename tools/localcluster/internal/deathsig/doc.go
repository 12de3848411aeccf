// Package deathsig ties the life of a child process to its parent's, where the
// operating system can do that, which is Linux alone.
package deathsig
