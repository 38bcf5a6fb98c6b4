"""What every judgement is made with: context, verdict, results, baselines."""
