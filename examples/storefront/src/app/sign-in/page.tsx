import { Suspense } from 'react';
import { register, signIn } from '@/actions/account';

type Props = PageProps<'/sign-in'>;

async function Problem({ searchParams }: Props) {
  const { problem } = await searchParams;
  return problem ? <p className="problem">{problem}</p> : null;
}

export default function Page(props: Props) {
  return (
    <>
      <h1>Welcome</h1>
      <Suspense><Problem {...props} /></Suspense>
      <div className="columns">
        <form action={signIn} className="panel" data-form="sign-in">
          <h2>Sign in</h2>
          <label>E-mail<input name="email" type="email" autoComplete="username" required /></label>
          <label>Password<input name="password" type="password" autoComplete="current-password" required /></label>
          <button>Sign in</button>
        </form>
        <form action={register} className="panel" data-form="register">
          <h2>New here?</h2>
          <label>Name<input name="name" autoComplete="name" required /></label>
          <label>E-mail<input name="email" type="email" autoComplete="email" required /></label>
          <label>Password<input name="password" type="password" autoComplete="new-password" minLength={8} required /></label>
          <label>Street<input name="street" autoComplete="street-address" /></label>
          <label>City<input name="city" autoComplete="address-level2" /></label>
          <button>Create an account</button>
        </form>
      </div>
    </>
  );
}
