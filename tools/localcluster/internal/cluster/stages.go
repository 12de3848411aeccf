package cluster

import (
	"fmt"
	"os"
	"path/filepath"
)

// copyStages puts the stages of all folders into dir. A file takes the place of
// one with the same name in an earlier folder, as in any drop-in directory. The
// logs that stages refer to go with them.
func copyStages(dir string, folders []string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil {
			return err
		}
		if len(files) == 0 {
			return fmt.Errorf("stages folder %s holds no *.yaml file", folder)
		}
		logs, err := filepath.Glob(filepath.Join(folder, "*.log"))
		if err != nil {
			return err
		}
		for _, file := range append(files, logs...) {
			data, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), data, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}
